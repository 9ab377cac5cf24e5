//! Unix sockets: the listener of a process group, packets with descriptors, streams of frames.
//!
//! Invariant: every descriptor made here is close-on-exec, no call raises SIGPIPE, and no flag is
//! ever set here on a shared socket (O_NONBLOCK would reach every holder): waiting is chosen per call.
//! Daemons set it on their group's listener, as accept(2) has no such choice.

mod backlog;
mod listener;
mod packet;
mod passing;
mod stream;
mod timed;

pub use backlog::waiting;
pub use listener::{Listener, accept, connect, connect_within, set_backlog};
pub use packet::{
    MAX_DESCRIPTORS, is_peer_gone, pair, receive_packet, send_packet, try_send_packet,
};
pub use passing::{
    is_out_of_descriptors, is_readable_file, receive_passed, receive_with_descriptors,
    send_with_descriptor, try_receive_with_descriptors,
};
pub use stream::{
    Ready, end_sending, grow_send_buffer, is_half_closed, is_hung_up, poll_readable, poll_ready,
    receive_exact, receive_some, send_vectored, set_receive_buffer, set_receive_limit,
    set_send_buffer, set_send_limit, set_timeouts, shutdown, stream_pair,
};
pub use timed::TimedStream;
