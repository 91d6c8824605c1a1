//! Solvers: what the network becomes. No file is read and nothing printed here.

pub mod bregman_projection;
pub mod closed_form;
pub mod conservation;
pub mod double_double;
pub mod dual;
pub mod infinite_width;
mod interpolation;
pub mod mirror_descent;
pub mod mirror_flow;
pub mod model;
pub mod quadrature;
pub mod spline;
