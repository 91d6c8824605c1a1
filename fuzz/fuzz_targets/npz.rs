//! An npz file is refused in one line, or its network is finite, of one width, and the same when written
//! and read again. Bytes alone would rarely get past the archive's checksums: most files are packed here.
#![no_main]

use arbitrary::{Arbitrary, Result, Unstructured};
use flate2::{Compression, write::DeflateEncoder};
use libfuzzer_sys::fuzz_target;
use mirrorflow::setting::{Archive, Convention};
use mirrorflow_fuzz::read;
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::io::Write;

const NAMES: [&str; 12] = [
    "w",
    "b",
    "a",
    "d",
    "w0",
    "b0",
    "a0",
    "d0",
    "x",
    "y",
    "convention",
    "other",
];
const TYPES: [&str; 14] = [
    "<f8", ">f8", "<f4", ">f4", "<i8", ">i8", "<i4", "<i2", "|i1", "<u8", ">u4", "|u1", "<f2", "O",
];

#[derive(Debug, Arbitrary)]
enum File<'a> {
    Bytes(&'a [u8]),
    Entries(Vec<Entry<'a>>),
    Network {
        width: u8,
        wrong: Option<Entry<'a>>,
        entries: Vec<Entry<'a>>,
    },
}

#[derive(Debug, Clone, Arbitrary)]
struct Entry<'a> {
    name: u8,
    deflated: bool,
    array: Array<'a>,
}

#[derive(Debug, Clone, Arbitrary)]
enum Array<'a> {
    Bytes(&'a [u8]),
    Headed {
        version: u8,
        header: &'a str,
        body: &'a [u8],
    },
    Shaped {
        kind: u8,
        shape: Vec<u16>,
        body: &'a [u8],
    },
    Vector {
        kind: u8,
        column: u8,
        body: &'a [u8],
    },
}

impl Entry<'_> {
    fn bytes(&self, width: Option<u8>) -> Vec<u8> {
        match &self.array {
            Array::Bytes(bytes) => bytes.to_vec(),
            Array::Headed {
                version,
                header,
                body,
            } => npy(*version, header, body),
            Array::Shaped { kind, shape, body } => {
                let shape: String = shape.iter().map(|length| format!("{length}, ")).collect();
                npy(1, &header(kind_of(*kind), &shape), body)
            }
            Array::Vector { kind, column, body } => {
                let kind = kind_of(*kind);
                let size = kind[2.min(kind.len() - 1)..].parse().unwrap_or(8);
                let name = self.name as usize % NAMES.len();
                let length = match (width, name) {
                    (Some(_), 3 | 7 | 10) => 1,
                    (Some(width), _) => usize::from(width % 5),
                    (None, _) => body.len() / size,
                };
                let shape = match column % 4 {
                    0 => format!("{length}, 1"),
                    1 => format!("1, {length}"),
                    _ => format!("{length},"),
                };
                let body: Vec<u8> = body
                    .iter()
                    .copied()
                    .chain([0; 64])
                    .take(length * size)
                    .collect();
                npy(1 + column / 64, &header(kind, &shape), &body)
            }
        }
    }
}

fn kind_of(kind: u8) -> &'static str {
    TYPES[usize::from(kind) % TYPES.len()]
}

fn header(kind: &str, shape: &str) -> String {
    format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}\n")
}

fn npy(version: u8, header: &str, body: &[u8]) -> Vec<u8> {
    let length = (header.len() as u32).to_le_bytes();
    let length = if version == 1 { &length[..2] } else { &length };
    [
        b"\x93NUMPY",
        &[version, 0][..],
        length,
        header.as_bytes(),
        body,
    ]
    .concat()
}

/// What the entries are packed to.
fn packed(entries: &[Entry], width: Option<u8>) -> Vec<u8> {
    let mut file = Vec::new();
    let mut archive = ZipArchiveWriter::new(&mut file);
    for entry in entries {
        let name = format!("{}.npy", NAMES[usize::from(entry.name) % NAMES.len()]);
        let (method, level) = match entry.deflated {
            true => (CompressionMethod::DEFLATE, Compression::fast()),
            false => (CompressionMethod::STORE, Compression::none()),
        };
        let builder = archive.new_file(&name).compression_method(method);
        let (mut writer, config) = builder.start().expect("memory takes it");
        let bytes = entry.bytes(width);
        let descriptor = if entry.deflated {
            let mut deflating = config.wrap(DeflateEncoder::new(&mut writer, level));
            deflating.write_all(&bytes).expect("memory takes it");
            let (encoder, descriptor) = deflating.finish().expect("memory takes it");
            encoder.finish().expect("memory takes it");
            descriptor
        } else {
            let mut storing = config.wrap(&mut writer);
            storing.write_all(&bytes).expect("memory takes it");
            storing.finish().expect("memory takes it").1
        };
        writer.finish(descriptor).expect("memory takes it");
    }
    archive.finish().expect("memory takes it");
    file
}

impl File<'_> {
    fn contents(self) -> Vec<u8> {
        match self {
            File::Bytes(bytes) => bytes.to_vec(),
            File::Entries(entries) => packed(&entries, None),
            File::Network {
                width,
                wrong,
                mut entries,
            } => {
                // The arrays in their order, so that the four of a network are there.
                for (name, entry) in (0..).zip(&mut entries) {
                    entry.name = name;
                }
                entries.truncate(NAMES.len());
                entries.extend(wrong);
                packed(&entries, Some(width))
            }
        }
    }
}

#[derive(Debug)]
struct Input {
    bytes: Vec<u8>,
    convention: Option<Convention>,
}

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        Ok(Self {
            convention: *u.choose(&[None, Some(Convention::Plus), Some(Convention::Minus)])?,
            bytes: File::arbitrary(u)?.contents(),
        })
    }
}

fuzz_target!(|input: Input| {
    let Some(archive) = read(&input.bytes, |path| Archive::read(path, input.convention)) else {
        return;
    };
    for network in [Some(&archive.network), archive.initial.as_ref()]
        .into_iter()
        .flatten()
    {
        assert_eq!(network.width(), archive.network.width());
        assert_eq!(
            (network.b.len(), network.a.len()),
            (network.width(), network.width())
        );
        let parameters = network.w.iter().chain(&network.b).chain(&network.a);
        assert!(network.width() > 0 && parameters.chain([&network.d]).all(|v| v.is_finite()));
    }
    let written = archive.contents().expect("what was read can be written");
    assert_eq!(
        read(&written, |path| Archive::read(path, None)),
        Some(archive)
    );
});
