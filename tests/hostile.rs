//! Files that lie: CSV and npz are read within bounds of memory and time, whatever they say, and what
//! cannot be used is refused in one line.

#![allow(clippy::unwrap_used)]

use assert_cmd::Command;
use flate2::{Compression, write::DeflateEncoder};
use mirrorflow::setting::{Archive, Dataset};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
    time::Duration,
};
use tempfile::TempDir;

const NETWORK: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/networks/f64_scaled_abs_p2_n540_seed0.npz"
);

/// An array in numpy's format, version 1.
fn npy(descr: &str, shape: &str, body: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    with_header(header.as_bytes(), body)
}

fn with_header(header: &[u8], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], header, body].concat()
}

fn doubles(values: &[f64]) -> Vec<u8> {
    let body: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    npy("'<f8'", &format!("({},)", values.len()), &body)
}

fn zip<'a>(entries: impl IntoIterator<Item = (&'a str, Vec<u8>)>) -> Vec<u8> {
    let mut output = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut output);
    for (name, contents) in entries {
        let builder = archive
            .new_file(name)
            .compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = builder.start().unwrap();
        let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
        writer.write_all(&contents).unwrap();
        let (encoder, descriptor) = writer.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap();
    output
}

/// A network of width 2 whose w is as given.
fn network(w: Vec<u8>) -> Vec<u8> {
    let pair = || doubles(&[1.0, -1.0]);
    zip([
        ("w.npy", w),
        ("b.npy", pair()),
        ("a.npy", pair()),
        ("d.npy", doubles(&[0.5])),
    ])
}

fn read(bytes: &[u8]) -> Result<Archive, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, bytes).unwrap();
    Archive::read(file.path(), None).map_err(|error| error.to_string())
}

fn refused(bytes: &[u8], because: &str) {
    let message = read(bytes).unwrap_err();
    assert!(message.contains(because), "{because}: {message}");
    assert!(
        message.lines().count() == 1 && message.contains("; "),
        "{message}"
    );
}

/// Runs the program with no more than this memory, where the system can limit it, and 60 seconds.
fn within(megabytes: usize, arguments: &[&str]) -> assert_cmd::assert::Assert {
    let limit = if cfg!(target_os = "linux") {
        format!("ulimit -v {}; ", megabytes * 1024)
    } else {
        String::new()
    };
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limit}exec \"$0\" \"$@\"")]);
    command.arg(assert_cmd::cargo::cargo_bin("mirrorflow"));
    command.env("RAYON_NUM_THREADS", "1");
    command
        .args(arguments)
        .timeout(Duration::from_secs(60))
        .assert()
}

fn refused_within(megabytes: usize, arguments: &[&str], because: &str) {
    let output = within(megabytes, arguments).code(2).stdout("");
    let message = String::from_utf8(output.get_output().stderr.clone()).unwrap();
    assert!(message.contains(because), "{because}: {message}");
    assert!(
        message.lines().count() == 1 && message.contains("; "),
        "{message}"
    );
}

mod npz {
    use super::*;

    #[test]
    fn types_orders_and_names_of_frameworks_are_read() {
        let good = read(&network(doubles(&[1.0, -1.0]))).unwrap();
        assert_eq!(good.network.w.to_vec(), [1.0, -1.0]);
        let bytes = |descr: &str| -> Vec<u8> {
            let element = |v: i8| match &descr[1..] {
                "f8" => f64::from(v).to_le_bytes().to_vec(),
                "f4" => f32::from(v).to_le_bytes().to_vec(),
                integer => i64::from(v).to_le_bytes()[..integer[1..].parse().unwrap()].to_vec(),
            };
            let mut elements = [element(1), element(-1)];
            if descr.starts_with('>') {
                elements.iter_mut().for_each(|element| element.reverse());
            }
            elements.concat()
        };
        for descr in [
            "<f8", ">f8", "=f8", "<f4", ">f4", "|i1", "<i2", ">i2", "<i4", ">i4", "<i8", ">i8",
        ] {
            for shape in ["(2,)", "(2, 1)", "(1, 2)", "(2, 1, 1)"] {
                let w = npy(&format!("'{descr}'"), shape, &bytes(descr));
                assert_eq!(read(&network(w)).unwrap(), good, "{descr} {shape}");
            }
        }
        let unsigned = read(&network(npy("'|u1'", "(2,)", &[1, 255]))).unwrap();
        assert_eq!(unsigned.network.w.to_vec(), [1.0, 255.0]);
        let header = b"{'descr': '<f8', 'fortran_order': True, 'shape': (2, 1), }";
        let fortran = with_header(header, &bytes("<f8"));
        assert_eq!(read(&network(fortran)).unwrap(), good);
        let pair = || doubles(&[1.0, -1.0]);
        let scalar = npy("'<f4'", "()", &0.5_f32.to_le_bytes());
        let bare = [("w", pair()), ("b", pair()), ("a", pair()), ("d", scalar)];
        assert_eq!(read(&zip(bare)).unwrap(), good);
    }

    #[test]
    fn other_types_and_shapes_are_refused_by_name() {
        for descr in [
            "'<f2'", "'<c16'", "'|O'", "'|b1'", "'<U5'", "'|S3'", "'<f16'", "'<i3'", "'<M8[s]'",
            "''", "'é8'",
        ] {
            refused(&network(npy(descr, "(2,)", &[0; 16])), "floats or integers");
        }
        for descr in ["[('x', '<f8')]", "5", "None"] {
            refused(&network(npy(descr, "(2,)", &[0; 16])), "array w");
        }
        refused(&network(npy("'<f8'", "(2, 2)", &[0; 32])), "shape [2, 2]");
        refused(&network(npy("'<f8'", "(0,)", &[])), "shape [0]");
        refused(&network(npy("'<f8'", "(-2,)", &[0; 16])), "header");
        refused(&network(npy("'<f8'", "(2.0,)", &[0; 16])), "header");
        refused(&network(npy("'<f8'", "2", &[0; 16])), "header");
        refused(&network(doubles(&[1.0])), "lengths");
        for wrong in ["b.npy", "a.npy", "d.npy"] {
            let lengths = ["w.npy", "b.npy", "a.npy", "d.npy"].map(|name| {
                let right = if name == "d.npy" { 1 } else { 3 };
                (
                    name,
                    doubles(&vec![1.0; if name == wrong { 2 } else { right }]),
                )
            });
            refused(&zip(lengths), "have lengths");
        }
        for odd in [f64::NAN, f64::INFINITY] {
            refused(&network(doubles(&[1.0, odd])), "not finite");
        }
    }

    #[test]
    fn headers_that_claim_too_much_are_refused() {
        for shape in [
            "(1000000000000000,)",
            "(9223372036854775807, 9223372036854775807)",
            "(3,)",
            "(1,)",
            "(99999999999999999999999999,)",
        ] {
            refused(&network(npy("'<f8'", shape, &[0; 16])), "header");
        }
        let long = [
            b"\x93NUMPY\x02\x00\xff\xff\xff\xff".as_slice(),
            &[b' '; 100],
        ]
        .concat();
        refused(&network(long), "a header of 4294967295 bytes");
        for open in ["(", "[", "{", "{1:"] {
            let nested = open.repeat(1000 / open.len());
            refused(&network(with_header(nested.as_bytes(), &[])), "header");
        }
        refused(&network(with_header(b"\xff\xfe", &[])), "header");
        let padded = |length: usize| {
            let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
            let body = [1.0_f64, -1.0].map(f64::to_le_bytes).concat();
            with_header(format!("{header:length$}").as_bytes(), &body)
        };
        assert!(read(&network(padded(1024))).is_ok());
        refused(&network(padded(1025)), "a header of 1025 bytes");
        refused(&network(b"\x93NUMPY\x01".to_vec()), "numpy's format");
        refused(&network(b"\x80\x04pickle".to_vec()), "numpy's format");
        refused(&network(vec![]), "numpy's format");
    }

    #[test]
    fn what_is_there_twice_or_not_at_all_is_refused() {
        let pair = || doubles(&[1.0, -1.0]);
        let whole = [
            ("b.npy", pair()),
            ("a.npy", pair()),
            ("d.npy", doubles(&[0.5])),
        ];
        for second in ["w.npy", "w"] {
            let twice = [("w.npy", pair()), (second, pair())];
            refused(&zip(twice.into_iter().chain(whole.clone())), "twice");
        }
        refused(&zip(whole), "array w: there is none");
        refused(&zip([]), "array w: there is none");
        refused(b"x,y\n0,1\n", "no npz archive");
        refused(&[0; 1 << 20], "no npz archive");
    }

    /// 2²⁴ numbers behind the longest header, and one number more.
    #[test]
    fn as_many_numbers_as_are_promised_are_read() {
        let numbers = |count: usize| {
            let header =
                format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({count},), }}");
            with_header(format!("{header:1014}").as_bytes(), &vec![0; 8 * count])
        };
        refused(
            &network(numbers(1 << 24)),
            "have lengths [16777216, 2, 2, 1]",
        );
        refused(
            &network(numbers((1 << 24) + 1)),
            "more than 16777216 numbers",
        );
    }

    /// Points are those of x and y together: one of them alone says nothing.
    #[test]
    fn half_a_data_set_is_none() {
        let pair = || doubles(&[1.0, -1.0]);
        for given in [&["x"][..], &["y"], &["x", "y"]] {
            let arrays = ["w", "b", "a"]
                .iter()
                .chain(given)
                .map(|name| (*name, pair()));
            let archive = read(&zip(arrays.chain([("d", doubles(&[0.5]))]))).unwrap();
            assert_eq!(archive.dataset.is_some(), given.len() == 2, "{given:?}");
        }
    }

    /// Every beginning of a file, and every byte wrong in a hundred places: an error or the same network,
    /// never a panic.
    #[test]
    fn damaged_files_are_refused_or_read_alike() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("net.npz");
        let whole = network(doubles(&[1.0, -1.0]));
        let right = read(&whole).unwrap();
        for end in 0..whole.len() {
            fs::write(&file, &whole[..end]).unwrap();
            assert!(Archive::read(&file, None).is_err(), "the first {end} bytes");
        }
        let mut refused = 0;
        for place in 0..whole.len() {
            for wrong in [0x01, 0x80, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] ^= wrong;
                fs::write(&file, bytes).unwrap();
                match Archive::read(&file, None) {
                    Ok(archive) => assert_eq!(archive, right, "byte {place} ^ {wrong}"),
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(refused > whole.len(), "{refused} of {}", 3 * whole.len());
    }

    /// 400 MB that take 2 MB in the file, and directories that claim more than there is.
    #[test]
    fn bombs_go_off_within_bounds() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("bomb.npz");
        let file = path.to_str().unwrap();
        let inspect = [
            "inspect",
            file,
            "--activation",
            "abs",
            "--scaling",
            "scaled",
        ];
        let small = network(doubles(&[1.0, -1.0]));
        // Enough for a network that is none: the bounds below are no trivial ones.
        within(
            700,
            &[
                "inspect",
                NETWORK,
                "--activation",
                "abs",
                "--scaling",
                "scaled",
            ],
        )
        .code(0);

        let zeros = npy("'<f8'", "(50000000,)", &vec![0; 400_000_000]);
        fs::write(&path, network(zeros)).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 4_000_000);
        refused_within(700, &inspect, "more than 16777216 numbers");

        // The end record of the directory in its 64-bit form, with 2⁶⁰ entries.
        let end = small.len() - 22;
        let directory = small[end + 16..end + 20].to_vec();
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44_u64.to_le_bytes());
        record.extend([45, 0, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        record.extend([(1_u64 << 60).to_le_bytes(); 2].concat());
        record.extend(
            (end as u64 - u64::from(u32::from_le_bytes(directory.clone().try_into().unwrap())))
                .to_le_bytes(),
        );
        record.extend([&directory[..], &[0; 4]].concat());
        record.extend(b"PK\x06\x07\0\0\0\0");
        record.extend((end as u64).to_le_bytes());
        record.extend(1_u32.to_le_bytes());
        record.extend(b"PK\x05\x06\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0");
        fs::write(&path, [&small[..end], &record].concat()).unwrap();
        // It may be read (the entries that are there are whole) but neither reserve nor look for 2⁶⁰.
        let code = within(700, &inspect).get_output().status.code();
        assert!(matches!(code, Some(1 | 2)), "{code:?}");
    }
}

mod csv {
    use super::*;

    fn refused(text: &[u8], because: &str) {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        let message = Dataset::read_csv(file.path()).unwrap_err().to_string();
        assert!(message.contains(because), "{because}: {message}");
        assert!(
            message.lines().count() == 1 && message.len() < 400,
            "{message}"
        );
    }

    #[test]
    fn lines_without_end_are_refused() {
        refused(
            &[b"x,y\n0,1\n".as_slice(), &b",".repeat(1 << 20)].concat(),
            "line 3: 1048576 bytes",
        );
        refused(&b"7".repeat(1 << 20), "line 1: 1048576 bytes");
        refused(&b"\0".repeat(1 << 20), "bytes in one line");
        let marked = ["\u{feff}x,y\r\n0,1\r\n".as_bytes(), &b"1".repeat(5000)].concat();
        refused(&marked, "line 3: 5000 bytes");
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, format!("x,y\n{:4096}\n", "0,1")).unwrap();
        assert!(Dataset::read_csv(file.path()).is_ok());
        refused(
            format!("x,y\n{:4097}\n", "0,1").as_bytes(),
            "line 2: 4097 bytes",
        );
        refused(
            &[b"x,y\n\"0,1\n".as_slice(), &b"1,2\n".repeat(1 << 16)].concat(),
            "line 2",
        );
        refused(&b"x\n".repeat(1000), "one column");
        refused(&[b'x', 0, b',', 0, b'y', 0, b'\n', 0], "");
        refused(b"\xff\xfex\0,\0y\0", "UTF-8");
        refused(b"x,y\n\0,1\n", "not a number");
    }

    #[test]
    fn more_than_ten_million_points_are_refused() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("long.csv");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"x,y\n").unwrap();
        let lines = b"1,1\n".repeat(10_001);
        (0..1000).for_each(|_| file.write_all(&lines).unwrap());
        let data = path.to_str().unwrap();
        refused_within(
            1000,
            &["minimizer", "--data", data],
            "more than 10000000 points",
        );
    }
}

/// A folder, a device, a pipe that nobody writes into, a gigabyte of nothing: not read at all.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_at_once() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let pipe = path("pipe");
    Command::new("mkfifo").arg(&pipe).assert().success();
    let large = path("large");
    File::create(&large).unwrap().set_len(1 << 32).unwrap();
    let directory = folder.path().to_str().unwrap();
    let cases = [
        (directory, "is a directory"),
        ("/dev/zero", "not a regular file"),
        (&pipe, "not a regular file"),
        (&large, "4294967296 bytes"),
    ];
    for (file, because) in cases {
        for arguments in [
            &["minimizer", "--data", file][..],
            &["inspect", file],
            &["inspect", NETWORK, "--data", file],
            &["train", "--data", "figure1", "--init", file],
        ] {
            refused_within(700, arguments, because);
        }
    }
    let mut some = [0; 16];
    let real = File::open(Path::new(NETWORK)).unwrap().read(&mut some);
    assert_eq!(
        real.unwrap(),
        16,
        "and the network that the others are compared with is there"
    );
}
