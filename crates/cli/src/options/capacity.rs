//! How much is served at once, and for how long anything may take.

use clap::{Args, builder::PossibleValue};

/// Processes, threads, connections.
#[derive(Debug, Args)]
#[command(next_help_heading = "Capacity")]
pub(crate) struct Capacity {
    /// Daemon processes of the application [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) processes: Option<u32>,

    /// Threads of each process
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) threads: u32,

    /// Connections served at once [default: half as many again as there are threads, and 10]
    #[arg(long, value_name = "N")]
    pub(crate) max_clients: Option<u32>,

    /// Share of the connections that httpd has threads for at start, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) initial_workers: Option<f64>,

    /// Least share of idle threads of httpd, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) minimum_spare_workers: Option<f64>,

    /// Largest share of idle threads of httpd, 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub(crate) maximum_spare_workers: Option<f64>,

    /// Connections that may wait for httpd
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub(crate) server_backlog: u32,

    /// Requests that may wait for the application
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) daemon_backlog: u32,

    /// Seconds that a connection waits for its next request; 0 closes it
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub(crate) keep_alive_timeout: u32,

    /// Largest request body in bytes; 0 is any
    #[arg(long, value_name = "BYTES", default_value_t = 10_485_760)]
    pub(crate) limit_request_body: u64,

    /// Requests after which a process is replaced; 0 is never
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) maximum_requests: u32,

    /// Kind of httpd's processes, in order of preference (repeatable) [default: event worker prefork]
    #[arg(long, value_name = "NAME", value_parser = [
        PossibleValue::new("event"),
        PossibleValue::new("worker"),
        PossibleValue::new("prefork"),
    ])]
    pub(crate) server_mpm: Vec<String>,
}

/// Timeouts and buffers.
#[derive(Debug, Args)]
#[command(
    next_help_heading = "Timeouts (seconds) and buffers (bytes; 0 is the default of the system)"
)]
pub(crate) struct Timeouts {
    /// For loading the application
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) startup_timeout: u32,

    /// For the shutdown of a process
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) shutdown_timeout: u32,

    /// For a request; 0 is none
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) request_timeout: u32,

    /// For a request that was interrupted; 0 is none
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) interrupt_timeout: u32,

    /// Age at which a process is replaced; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) restart_interval: u32,

    /// CPU time after which a process is replaced; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) cpu_time_limit: u32,

    /// For the requests of a process that is to be replaced
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) graceful_timeout: u32,

    /// The same after SIGUSR1; 0 is the graceful timeout
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) eviction_timeout: u32,

    /// Without Python's lock, after which a process is replaced; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) deadlock_timeout: u32,

    /// Without requests, after which a process is replaced; 0 is never
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) inactivity_timeout: u32,

    /// URL whose requests do not count as activity (repeatable)
    #[arg(long, value_name = "URL")]
    pub(crate) ignore_activity: Vec<String>,

    /// For reaching the application
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) connect_timeout: u32,

    /// For a single read or write, of clients and of the application
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) socket_timeout: u32,

    /// For a request to wait for a thread; 0 is none
    #[arg(long, value_name = "SECONDS", default_value_t = 45)]
    pub(crate) queue_timeout: u32,

    /// For one write to a client while a response is relayed; 0 is the socket timeout
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) response_socket_timeout: u32,

    /// Milliseconds without output after which what there is goes to the client
    #[arg(long, value_name = "MS", default_value_t = 5)]
    pub(crate) response_flush_delay: u32,

    /// For the servers of --proxy-mount-point and --proxy-virtual-host [default: socket timeout]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) proxy_timeout: Option<u32>,

    /// For the first byte of a request's head; 0 is none
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) header_timeout: u32,

    /// For a whole head that keeps coming
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) header_max_timeout: u32,

    /// Bytes a second that count as coming
    #[arg(long, value_name = "BYTES", default_value_t = 500)]
    pub(crate) header_min_rate: u32,

    /// For the first byte of a request's body; 0 is none
    #[arg(long, value_name = "SECONDS", default_value_t = 15)]
    pub(crate) body_timeout: u32,

    /// For a whole body that keeps coming; 0 is none
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) body_max_timeout: u32,

    /// Bytes a second that count as coming
    #[arg(long, value_name = "BYTES", default_value_t = 500)]
    pub(crate) body_min_rate: u32,

    /// Send buffer between httpd and the application
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) send_buffer_size: u32,

    /// Receive buffer between httpd and the application
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) receive_buffer_size: u32,

    /// Longest header of a response
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) header_buffer_size: u32,

    /// Bytes of a response that are relayed without a flush
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    pub(crate) response_buffer_size: u32,
}

/// A number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("a number from 0 to 1".to_owned()),
    }
}
