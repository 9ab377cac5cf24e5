//! The datagrams that WSGITelemetryService sends: their bytes (`datagram.rs`) and what is in each
//! kind (`reports.rs`). docs/telemetry.md describes them for readers. No clock and no socket here.

mod datagram;
mod reports;

pub use datagram::{Datagram, Kind, LONGEST};
pub use reports::{
    Collection, Collector, Identity, Settings, Slow, Stopped, collection, collector, slow, started,
    stopped, stopping, tick,
};
