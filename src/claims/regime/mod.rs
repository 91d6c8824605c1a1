//! What sets scaled potentials apart: they leave the kernel regime, and no RKHS norm describes them.

pub mod non_rkhs;
pub mod not_kernel;
pub mod takeaway;
