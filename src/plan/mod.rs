//! `Request` in, `Plan` out. Pure: no file, no clock, no network.

pub mod model;

pub use model::*;
