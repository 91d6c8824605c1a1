//! Which change is on in this process, and which functions it entered. Stands in the copy of the sources only.

/// A plain number, set before anything else runs: a switch in a loop costs no atomic access.
static mut ACTIVE: usize = usize::MAX;
static mut ENTERED: [bool; FUNCTIONS] = [false; FUNCTIONS];

#[used]
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = read;

extern "C" fn read() {
    let active = std::env::var("MUTANT").ok().and_then(|text| text.parse().ok());
    unsafe { ACTIVE = active.unwrap_or(usize::MAX) }
}

#[inline(always)]
pub fn on(change: usize) -> bool {
    unsafe { ACTIVE == change }
}

#[inline(always)]
pub fn enter(function: usize) {
    unsafe {
        if !ENTERED[function] {
            ENTERED[function] = true;
            first(function);
        }
    }
}

#[cold]
fn first(function: usize) {
    use std::io::Write;

    if let Some(path) = std::env::var_os("MUTANT_COVERAGE") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.and_then(|mut file| file.write_all(format!("{function}\n").as_bytes())).expect("coverage");
    }
}
