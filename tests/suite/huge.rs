//! Bodies of 100 MB arrive whole in both directions, and nobody holds them in memory.

use crate::support::curl::{secure, ways};
use crate::support::{Httpd, ports, rundir::output_of};

const SIZE: usize = 100_000_000;

/// What processes may need more than before, each of them, in KiB: far less than a body.
const GROWTH: u64 = 24 << 10;

/// The most that each process of the server has had in memory so far, in KiB.
fn peaks(server: &Httpd) -> Vec<(i32, u64)> {
    let peak = |status: String| status.split(' ').next()?.parse().ok();
    let processes = server.processes();
    let peaks = processes.iter().map(|one| (one.pid, peak(one.status("VmHWM")).unwrap_or(0)));
    peaks.collect()
}

/// The hash of what a request answers that sends a file.
fn hash(arguments: &str) -> String {
    let command = format!("curl -q --noproxy '*' -sS -k --max-time 60 {arguments} | sha256sum");
    output_of("sh", &["-c", &command])
}

both_modes! {
    fn bodies_of_100_mb_arrive_whole_and_need_no_memory(mode) {
        ours!("passes bodies on piece by piece and keeps nothing");
        let port = ports::take();
        let lines = "WSGIScriptAlias /files @apps@/files.py\nWSGIScriptAlias / @apps@/input.py";
        let server = secure(lines, &port).mode(mode).one_child().start();
        let path = server.path("data.bin").display().to_string();
        output_of("openssl", &["rand", "-out", &path, &SIZE.to_string()]);
        let expected = output_of("sh", &["-c", &format!("sha256sum < {path}")]);
        let plain = (format!("http://localhost:{}", server.port()), "--http1.1");
        // Without the last, plain HTTP/2: it differs from that over TLS by nothing that counts here.
        let secure = ways(&server, &port).into_iter().take(2);
        let all = [plain].into_iter().chain(secure.map(|(base, option, _)| (base, option)));
        for (base, option) in all {
            // Everything is loaded, and every buffer has its size.
            server.post("/echo", &[b'x'; 2_000_000]).ok();
            hash(&format!("{option} {base}/files/plain -r 0-3000000"));
            let before = peaks(&server);
            // An upload that comes back, and a file.
            assert_eq!(hash(&format!("{option} -X POST -T {path} {base}/echo")), expected);
            assert_eq!(hash(&format!("{option} {base}/files/plain")), expected);
            for ((pid, peak), (_, peak_before)) in peaks(&server).into_iter().zip(before) {
                let growth = peak - peak_before;
                assert!(growth < GROWTH, "{base} {option}: process {pid} grew by {growth} KiB");
            }
        }
    }
}
