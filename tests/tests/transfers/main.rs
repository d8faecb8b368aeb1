//! Transfers against real servers and deliberate faults, on each driver.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests own sockets, threads, files and clocks"
)]

mod bodies;
mod certificates;
mod control;
mod faults;
mod http;
mod world;
