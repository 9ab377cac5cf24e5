//! What is to be seen of daemon groups: `times.rs` is what they count, `inquiry.rs` how somebody
//! asks what they are doing, `report.rs` both together as the status handler tells it in JSON,
//! `openmetrics.rs` the same for a collector of metrics, `lines.rs` for httpd's server-status.

pub mod inquiry;
pub mod lines;
pub mod openmetrics;
pub mod report;
pub mod times;
