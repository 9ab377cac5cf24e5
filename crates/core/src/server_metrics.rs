//! What httpd's scoreboard says about its children, as it travels to where Python asks for it.

use crate::wire::{self, Malformed, Reader};

/// A copy of the scoreboard; times are µs since the epoch, 0 for never.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerMetrics {
    /// Children there may be.
    pub server_limit: u32,
    /// Threads that each may have.
    pub thread_limit: u32,
    /// The generation of children that takes connections.
    pub running_generation: i32,
    /// The last start or restart.
    pub restart_time: i64,
    /// When the copy was made.
    pub current_time: i64,
    /// The places of children, used or not.
    pub processes: Vec<Process>,
}

/// The place of a child.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Process id of the child that is or was there last; 0 when none was.
    pub pid: i32,
    /// Its generation.
    pub generation: i32,
    /// It finishes what it has and takes nothing new.
    pub is_quiescing: bool,
    /// The places of its threads.
    pub workers: Vec<Worker>,
}

/// The place of a thread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Worker {
    /// Generation of its child.
    pub generation: i32,
    /// What it does, as a number of httpd's.
    pub status: u8,
    /// Requests so far.
    pub access_count: u64,
    /// Bytes of their responses.
    pub bytes_served: u64,
    /// When the last request began.
    pub start_time: i64,
    /// When it ended.
    pub stop_time: i64,
    /// When the thread did something last.
    pub last_used: i64,
    /// Its client.
    pub client: Vec<u8>,
    /// The beginning of its request line.
    pub request: Vec<u8>,
    /// Its virtual host.
    pub vhost: Vec<u8>,
}

impl Worker {
    /// The sign that stands for the status in every picture of a scoreboard.
    pub fn sign(&self) -> &'static str {
        match self.status {
            0 => ".",
            1 => "S",
            2 => "_",
            3 => "R",
            4 => "W",
            5 => "K",
            6 => "L",
            7 => "D",
            8 => "C",
            9 => "G",
            10 => "I",
            _ => "?",
        }
    }
}

impl ServerMetrics {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for number in
            [self.server_limit, self.thread_limit, self.running_generation.cast_unsigned()]
        {
            wire::put_u32(&mut out, number);
        }
        for time in [self.restart_time, self.current_time] {
            wire::put_u64(&mut out, time.cast_unsigned());
        }
        for process in &self.processes {
            process.encode(&mut out);
        }
        out
    }

    /// Reads what [`Self::encode`] has written.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, "scoreboard");
        let mut metrics = Self {
            server_limit: reader.u32()?,
            thread_limit: reader.u32()?,
            running_generation: reader.u32()?.cast_signed(),
            restart_time: reader.u64()?.cast_signed(),
            current_time: reader.u64()?.cast_signed(),
            processes: Vec::new(),
        };
        while !reader.is_empty() {
            metrics.processes.push(Process::decode(&mut reader)?);
        }
        Ok(metrics)
    }
}

impl Process {
    fn encode(&self, out: &mut Vec<u8>) {
        wire::put_u32(out, self.pid.cast_unsigned());
        wire::put_u32(out, self.generation.cast_unsigned());
        wire::put_u16(out, self.is_quiescing.into());
        wire::put_u32(out, u32::try_from(self.workers.len()).unwrap_or(u32::MAX));
        for worker in &self.workers {
            worker.encode(out);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let (pid, generation) = (reader.u32()?.cast_signed(), reader.u32()?.cast_signed());
        let (is_quiescing, count) = (reader.u16()? != 0, reader.u32()?);
        // No room is made for a count that nothing but the sender vouches for.
        let workers = (0..count).map(|_| Worker::decode(reader)).collect::<Result<_, _>>()?;
        Ok(Self { pid, generation, is_quiescing, workers })
    }
}

impl Worker {
    fn encode(&self, out: &mut Vec<u8>) {
        wire::put_u32(out, self.generation.cast_unsigned());
        wire::put_u16(out, self.status.into());
        wire::put_u64(out, self.access_count);
        wire::put_u64(out, self.bytes_served);
        for time in [self.start_time, self.stop_time, self.last_used] {
            wire::put_u64(out, time.cast_unsigned());
        }
        for text in [&self.client, &self.request, &self.vhost] {
            wire::put_bytes(out, text);
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            generation: reader.u32()?.cast_signed(),
            status: u8::try_from(reader.u16()?).unwrap_or(u8::MAX),
            access_count: reader.u64()?,
            bytes_served: reader.u64()?,
            start_time: reader.u64()?.cast_signed(),
            stop_time: reader.u64()?.cast_signed(),
            last_used: reader.u64()?.cast_signed(),
            client: reader.bytes()?.to_vec(),
            request: reader.bytes()?.to_vec(),
            vhost: reader.bytes()?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn worker(number: u64) -> Worker {
        Worker {
            generation: -1,
            status: u8::try_from(number % 12).unwrap(),
            access_count: number,
            last_used: 7,
            client: b"127.0.0.1".to_vec(),
            request: vec![0xe4; usize::try_from(number % 5).unwrap()],
            ..Worker::default()
        }
    }

    #[test]
    fn a_scoreboard_survives_the_way() {
        let process = |pid| Process {
            pid,
            generation: 3,
            is_quiescing: pid == 0,
            workers: (0..20).map(worker).collect(),
        };
        let metrics = ServerMetrics {
            server_limit: 2,
            thread_limit: 20,
            running_generation: 3,
            restart_time: 5,
            current_time: 6,
            processes: vec![process(0), process(77)],
        };
        assert_eq!(ServerMetrics::decode(&metrics.encode()), Ok(metrics.clone()));
        assert_eq!(metrics.processes[0].workers[11].sign(), "?");
        assert!(ServerMetrics::decode(&metrics.encode()[..50]).is_err());
    }

    proptest! {
        #[test]
        fn decoding_anything_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            ServerMetrics::decode(&bytes).ok();
        }
    }
}
