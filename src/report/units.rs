//! An audit as units of work, each the check of one claim on one seed. What comes out of a unit
//! depends on claim, seed, effort and program alone, and is kept as one small file: so an audit that
//! broke off is resumed, a long one is shared among machines, and their shares are merged.

use super::{
    ledger::{CALIBRATION_RUNS, Calibration, JudgedClaim, Ledger},
    make_folder, unwritable, write_whole,
};
use crate::{
    Error, Result,
    claims::{Claim, Context},
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Display},
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    str::FromStr,
    time::Instant,
};

/// The check of one claim on one seed.
#[derive(Debug, Clone, Copy)]
pub struct Unit<'a> {
    /// What is checked.
    pub claim: &'a Claim,
    /// 0 for the audit itself; k for the k-th seed after it, 1 … [`CALIBRATION_RUNS`], in a calibration.
    pub run: u64,
}

/// One of several machines that share an audit: the `index`-th of `count`, from 1; as a text, K/N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    count: usize,
}

/// An audit to be made.
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a> {
    /// The claims, in the order of the registry.
    pub claims: &'a [Claim],
    /// Seed and effort.
    pub context: Context,
    /// Whether statistical claims are repeated on further seeds.
    pub calibrate: bool,
}

/// What an audit tells while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many more units are to come.
    Planned(usize),
    /// One of them is there.
    Done,
}

/// A folder in which units are kept.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
    resume: bool,
}

/// What a unit depends on besides its claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Origin {
    version: String,
    /// Hash of the sources from which the program was built.
    sources: String,
    seed: u64,
    effort: usize,
}

#[derive(Serialize, Deserialize)]
struct Record {
    origin: Origin,
    judged: JudgedClaim,
}

/// For each claim the seconds that its check takes one processor at effort 1, and whether a
/// statistical test is among its evidence. Shares are balanced and planned by these figures; no
/// result depends on them.
const ESTIMATES: [(&str, f64, bool); 24] = [
    ("representation-cost", 2.0, false),
    ("relu-minimizer", 5.0, true),
    ("abs-minimizer", 20.0, true),
    ("curvature-shape", 0.1, false),
    ("fluctuation-law", 10.0, true),
    ("gradient-flow-agreement", 3.0, true),
    ("bregman-projection", 2.0, false),
    ("lazy-unscaled", 4.0, true),
    ("lazy-scaled", 10.0, true),
    ("loss-decay", 10.0, false),
    ("lazy-multivariate", 6.0, false),
    ("output-layer-suffices", 4.0, false),
    ("descent-follows-flow", 30.0, false),
    ("random-output", 5.0, true),
    ("prior-results", 2.0, false),
    ("not-kernel", 20.0, true),
    ("non-rkhs", 8.0, true),
    ("where-and-how-much", 6.0, true),
    ("relu-scaled", 8.0, true),
    ("uneven-density", 8.0, true),
    ("uncentred-potential", 10.0, false),
    ("hypentropy-diagonal", 2.0, false),
    ("sharp-hypotheses", 0.2, false),
    ("notebook-audit", 50.0, false),
];

impl Unit<'_> {
    fn check(&self, context: &Context) -> JudgedClaim {
        match self.run {
            0 => JudgedClaim::check(self.claim, context),
            run => {
                let seed = context.seed.wrapping_add(run);
                let context = Context {
                    seed,
                    calibrating: true,
                    ..*context
                };
                JudgedClaim::once(self.claim, &context)
            }
        }
    }

    /// Seconds of one processor and whether there are tests; a claim without figures is taken for a
    /// middling one with tests.
    fn estimate(&self) -> (f64, bool) {
        let mut known = ESTIMATES.iter().filter(|(id, ..)| *id == self.claim.id);
        known
            .next()
            .map_or((4.0, true), |&(_, seconds, tests)| (seconds, tests))
    }
}

impl Display for Unit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.claim.id, self.run)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text.split_once('/');
        let numbers = parts.and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if 1 <= index && index <= count => Ok(Self { index, count }),
            _ => Err(Error::Parameter {
                name: "--shard".into(),
                value: text.into(),
                what: "this is not K/N with 1 ≤ K ≤ N".into(),
                remedy: "give 1/4, 2/4, 3/4 and 4/4 to four machines".into(),
            }),
        }
    }
}

impl Shard {
    /// The units that fall to this machine: longest first, each to the machine with the least work.
    pub fn of<'a>(self, mut units: Vec<Unit<'a>>) -> Vec<Unit<'a>> {
        units.sort_by(|a, b| b.estimate().0.total_cmp(&a.estimate().0));
        let mut work = vec![0.0; self.count.min(units.len())];
        units.retain(|unit| {
            let least = (0..work.len()).min_by(|&i, &j| f64::total_cmp(&work[i], &work[j]));
            let least = least.unwrap_or(0);
            work[least] += unit.estimate().0;
            least + 1 == self.index
        });
        units
    }
}

impl<'a> Audit<'a> {
    /// All units, as far as they are known before the first one is checked.
    pub fn units(&self) -> Vec<Unit<'a>> {
        let mut units = self.first_units();
        if self.calibrate {
            let tested = units.iter().filter(|unit| unit.estimate().1);
            units.extend(calibration(tested).collect::<Vec<_>>());
        }
        units
    }

    fn first_units(&self) -> Vec<Unit<'a>> {
        let first = |claim| Unit { claim, run: 0 };
        self.claims.iter().map(first).collect()
    }

    /// Carries out the audit, spread over the threads of rayon.
    ///
    /// # Errors
    /// [`Error::File`] where a unit cannot be kept; those before it are, and can be resumed from.
    pub fn run(
        &self,
        store: Option<&Store>,
        progress: &(impl Fn(Progress) + Sync),
    ) -> Result<Ledger> {
        self.assemble(|units| self.carry_out(units, store, progress))
    }

    /// Carries out one share of the audit and keeps its units; the ledger is of this share, without
    /// calibration.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub fn share(
        &self,
        shard: Shard,
        store: &Store,
        progress: &(impl Fn(Progress) + Sync),
    ) -> Result<Ledger> {
        let start = Instant::now();
        let units = shard.of(self.units());
        let judged = self.carry_out(&units, Some(store), progress)?;
        let first = units.iter().zip(judged).filter(|(unit, _)| unit.run == 0);
        let claims = first.map(|(_, judged)| judged).collect();
        Ok(Ledger::of(claims, None, &self.context, start))
    }

    /// The ledger of an audit whose units were all carried out elsewhere.
    ///
    /// # Errors
    /// [`Error::Data`] where units are missing, cannot be read, are of another program, seed or
    /// effort, or differ between folders; [`Error::File`] where a folder has no units.
    pub fn merge(&self, folders: &[PathBuf]) -> Result<Ledger> {
        let stores = folders.iter().map(|folder| Store::existing(folder));
        let stores: Vec<_> = stores.collect::<Result<_>>()?;
        self.assemble(|units| self.read(units, &stores))
    }

    /// First the audit's own units, then those of a calibration, since evidence says which claims
    /// have tests.
    fn assemble(
        &self,
        mut judge: impl FnMut(&[Unit<'a>]) -> Result<Vec<JudgedClaim>>,
    ) -> Result<Ledger> {
        let start = Instant::now();
        let units = self.first_units();
        let claims = judge(&units)?;
        let calibrations = if self.calibrate {
            let pairs = units.iter().zip(&claims);
            let tested: Vec<_> = pairs.filter(|(_, one)| one.is_statistical()).collect();
            let further = calibration(tested.iter().map(|(unit, _)| *unit));
            let runs = judge(&further.collect::<Vec<_>>())?;
            let of_one_claim = runs.chunks(CALIBRATION_RUNS as usize);
            let pairs = tested.iter().zip(of_one_claim);
            Some(
                pairs
                    .map(|((_, one), runs)| Calibration::of(one, runs))
                    .collect(),
            )
        } else {
            None
        };
        Ok(Ledger::of(claims, calibrations, &self.context, start))
    }

    fn carry_out(
        &self,
        units: &[Unit],
        store: Option<&Store>,
        progress: &(impl Fn(Progress) + Sync),
    ) -> Result<Vec<JudgedClaim>> {
        progress(Progress::Planned(units.len()));
        let origin = Origin::of(&self.context);
        let judge = |unit: &Unit| {
            let kept = store.and_then(|store| store.kept(unit, &origin));
            let judged = match (kept, store) {
                (Some(judged), _) => judged,
                (None, None) => unit.check(&self.context),
                (None, Some(store)) => store.keep(unit, &origin, unit.check(&self.context))?,
            };
            progress(Progress::Done);
            Ok(judged)
        };
        units.par_iter().map(judge).collect()
    }

    fn read(&self, units: &[Unit], stores: &[Store]) -> Result<Vec<JudgedClaim>> {
        let origin = Origin::of(&self.context);
        let (mut judged, mut missing) = (Vec::new(), Vec::new());
        for unit in units {
            let mut found: Option<(JudgedClaim, PathBuf)> = None;
            for store in stores {
                let path = store.path(unit);
                let Some(record) = store.read(unit)? else {
                    continue;
                };
                if record.origin != origin {
                    let what = format!("the unit is of {}, not of {origin}", record.origin);
                    let remedy =
                        "give the seed and the effort of the shares, and run all with one program";
                    return Err(refuse(&path, what, remedy));
                }
                match &found {
                    Some((first, place)) if bits(first) != bits(&record.judged) => {
                        let what = format!("it contradicts {}", place.display());
                        let remedy = "one is damaged, or the processors round differently \
                                      (OPENBLAS_CORETYPE): run both again on one machine";
                        return Err(refuse(&path, what, remedy));
                    }
                    _ => found = Some((record.judged, path)),
                }
            }
            match found {
                Some((claim, _)) => judged.push(claim),
                None => missing.push(unit.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(judged);
        }
        let some = missing
            .iter()
            .take(3)
            .map(String::as_str)
            .collect::<Vec<_>>();
        let more = if missing.len() > some.len() {
            ", …"
        } else {
            ""
        };
        let count = (missing.len(), units.len());
        Err(Error::Data {
            place: "--merge".into(),
            what: format!(
                "{} of {} units are missing: {}{more}",
                count.0,
                count.1,
                some.join(", ")
            ),
            remedy: "add the folders of all shares, give --only and --calibrate as they had them, or run \
                     the shares again with --resume"
                .into(),
        })
    }
}

/// The further units of claims with tests.
fn calibration<'u, 'a: 'u>(
    units: impl Iterator<Item = &'u Unit<'a>>,
) -> impl Iterator<Item = Unit<'a>> {
    units.flat_map(|unit| (1..=CALIBRATION_RUNS).map(|run| Unit { run, ..*unit }))
}

impl Origin {
    fn of(context: &Context) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            sources: env!("MIRRORFLOW_SOURCES").into(),
            seed: context.seed,
            effort: context.effort,
        }
    }
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            sources,
            seed,
            effort,
        } = self;
        write!(
            f,
            "version {version} ({sources}), seed {seed}, effort {effort}"
        )
    }
}

impl Store {
    /// The folder `units` within another one; both are made where they do not exist. Where `resume`
    /// is set, units of the same audit that are there are not carried out again.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be made or written into.
    pub fn open(folder: &Path, resume: bool) -> Result<Self> {
        make_folder(folder)?;
        let folder = folder.join("units");
        make_folder(&folder)?;
        Ok(Self { folder, resume })
    }

    fn existing(folder: &Path) -> Result<Self> {
        let folder = folder.join("units");
        let source = match fs::metadata(&folder) {
            Ok(data) if data.is_dir() => {
                return Ok(Self {
                    folder,
                    resume: true,
                });
            }
            Ok(_) => ErrorKind::NotADirectory.into(),
            Err(source) => source,
        };
        Err(Error::File {
            path: folder,
            source,
            remedy: "give folders that were the --out of an audit".into(),
        })
    }

    fn path(&self, unit: &Unit) -> PathBuf {
        self.folder.join(format!("{unit}.cbor"))
    }

    /// What there is of a unit to resume from: where it cannot be used it is carried out again.
    fn kept(&self, unit: &Unit, origin: &Origin) -> Option<JudgedClaim> {
        let record = self.resume.then(|| self.read(unit))?.ok()??;
        (record.origin == *origin).then_some(record.judged)
    }

    fn keep(&self, unit: &Unit, origin: &Origin, judged: JudgedClaim) -> Result<JudgedClaim> {
        let (path, origin) = (self.path(unit), origin.clone());
        let record = Record { origin, judged };
        let mut bytes = Vec::new();
        // CBOR, since JSON has neither NaN nor infinities.
        ciborium::into_writer(&record, &mut bytes)
            .map_err(|error| unwritable(&path, io::Error::other(error)))?;
        write_whole(&path, &bytes)?;
        Ok(record.judged)
    }

    fn read(&self, unit: &Unit) -> Result<Option<Record>> {
        let path = self.path(unit);
        let remedy = "delete it, and run its share again with --resume";
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(refuse(&path, error.to_string(), remedy)),
        };
        match ciborium::from_reader::<Record, _>(bytes.as_slice()) {
            Ok(record) if record.judged.id == unit.claim.id => Ok(Some(record)),
            Ok(_) => Err(refuse(&path, "it is of another claim".into(), remedy)),
            Err(error) => Err(refuse(&path, format!("this is no unit ({error})"), remedy)),
        }
    }
}

/// Everything of a judgement but its time, such that NaN equals NaN and 0 differs from −0.
fn bits(judged: &JudgedClaim) -> Vec<u8> {
    let mut bytes = Vec::new();
    let timeless = JudgedClaim {
        seconds: 0.0,
        ..judged.clone()
    };
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(&timeless, &mut bytes);
    bytes
}

fn refuse(path: &Path, what: String, remedy: &str) -> Error {
    Error::Data {
        place: path.display().to_string(),
        what,
        remedy: remedy.into(),
    }
}
