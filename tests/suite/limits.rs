//! What a daemon process may use of the machine, and what its Python is told.

use crate::support::process::Process;
use crate::support::{Httpd, original, poll, rundir};

/// A server whose group has these options, with the application that evaluates expressions.
fn group(options: &str) -> Httpd {
    Httpd::with(&format!(
        "WSGIDaemonProcess app {options}\nWSGIProcessGroup app\n\
         WSGIScriptAlias / @apps@/evaluate.py application-group=%{{GLOBAL}}"
    ))
    .start()
}

/// What an expression evaluates to in the group.
#[track_caller]
fn value(server: &Httpd, expression: &str) -> String {
    server.get(&format!("/?{}", expression.replace(' ', "%20"))).ok()
}

/// `getrlimit` in the group.
#[track_caller]
fn limit(server: &Httpd, name: &str) -> String {
    value(server, &format!("imp('resource').getrlimit(imp('resource').{name})"))
}

/// The nice value of the process that answers.
const NICE: &str = "imp('os').getpriority(0, 0)";

/// Answers with the size of the stack of the thread that runs it.
const STACK_APP: &str = "\
import ctypes, threading
libc = ctypes.CDLL(None)

def application(environ, start_response):
    attributes = ctypes.create_string_buffer(256)
    thread = ctypes.c_void_p(threading.get_ident())
    libc.pthread_getattr_np(thread, attributes)
    size = ctypes.c_size_t()
    libc.pthread_attr_getstacksize(attributes, ctypes.byref(size))
    start_response('200 OK', [])
    return [str(size.value).encode()]
";

/// The stack of a worker of a group with these options.
#[track_caller]
fn stack(options: &str) -> u64 {
    let server = Httpd::with(&format!(
        "WSGIDaemonProcess app {options}\nWSGIProcessGroup app\n\
         WSGIScriptAlias / @root@/app.py application-group=%{{GLOBAL}}"
    ))
    .file("app.py", STACK_APP)
    .start();
    server.get("/").ok().parse().expect("a number")
}

one! {
    fn processes_have_their_nice_value() {
        let server = group("threads=2 cpu-priority=7");
        // Not only its first thread: a nice value belongs to a thread on Linux.
        assert_eq!(value(&server, NICE), "7");
    }

    fn a_priority_above_that_of_httpd_is_for_root() {
        needs_root!();
        let server = group("threads=2 cpu-priority=-3");
        assert_eq!(value(&server, NICE), "-3");
    }

    fn limits_of_memory_are_those_of_the_options() {
        let server = group("threads=2 memory-limit=3000000000 virtual-memory-limit=4000000000");
        assert_eq!(limit(&server, "RLIMIT_DATA"), "(3000000000, 3000000000)");
        assert_eq!(limit(&server, "RLIMIT_AS"), "(4000000000, 4000000000)");
    }

    fn an_application_that_wants_too_much_memory_gets_memory_error() {
        let server = group("threads=2 memory-limit=1000000000");
        let refused = value(&server, "len(bytearray(2_000_000_000))");
        assert!(refused.starts_with("MemoryError"), "{refused}");
        assert_eq!(value(&server, "len(bytearray(1_000_000))"), "1000000");
    }

    fn the_limit_of_cpu_time_leaves_room_for_a_shutdown() {
        let server = group("threads=2 cpu-time-limit=30 shutdown-timeout=4");
        assert_eq!(limit(&server, "RLIMIT_CPU"), "(30, 35)");
    }

    fn a_process_that_has_used_its_cpu_time_is_replaced() {
        let server = group("threads=2 cpu-time-limit=1 graceful-timeout=2");
        let first = value(&server, "imp('os').getpid()");
        let burn = "next(n for n in iter(int, 1) if imp('time').process_time() > 1.2)";
        assert_eq!(value(&server, burn), "0", "the request that went over it is finished");
        poll("another process", || {
            (value(&server, "imp('os').getpid()") != first).then_some(())
        });
        if !original::is_original() {
            server.wait_for_log("cpu_time_limit");
        }
    }

    fn a_priority_that_only_root_may_give_is_a_warning() {
        if rundir::is_root() {
            original::skipped("needs a user that is not root");
            return;
        }
        let server = group("threads=2 cpu-priority=-3");
        server.expect_log("WSGI0075");
        assert_eq!(value(&server, NICE), "0");
    }

    fn without_options_the_limits_are_those_of_httpd() {
        let server = group("threads=2");
        let inherited = |name: &str| {
            let code = format!("import resource; print(resource.getrlimit(resource.{name}))");
            rundir::output_of("/usr/bin/python3", &["-c", &code])
        };
        for name in ["RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_AS"] {
            assert_eq!(limit(&server, name), inherited(name), "{name}");
        }
    }

    fn eggs_go_where_the_option_says() {
        let server = group("threads=2 python-eggs=/var/eggs");
        assert_eq!(value(&server, "imp('os').environ['PYTHON_EGG_CACHE']"), "'/var/eggs'");
    }

    fn the_switch_interval_is_that_of_the_option() {
        let server = group("threads=2 switch-interval=0.25");
        assert_eq!(value(&server, "imp('sys').getswitchinterval()"), "0.25");
    }

    fn worker_threads_have_the_stack_of_the_option() {
        let size = stack("threads=2 stack-size=3000000");
        // The C library rounds to whole pages and may count its guard page.
        assert!((2_950_000..3_050_000).contains(&size), "{size}");
        assert!(stack("threads=2") > 4_000_000);
    }

    fn a_crash_may_leave_an_image_where_httpd_is_told_to() {
        ours!("its processes may leave none, CoreDumpDirectory or not");
        let server = Httpd::with(
            "CoreDumpDirectory @root@/out\nWSGIDaemonProcess app threads=2\n\
             WSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/evaluate.py application-group=%{GLOBAL}",
        )
        .start();
        // PR_GET_DUMPABLE
        assert_eq!(value(&server, "imp('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0)"), "1");
    }

    fn a_limit_that_cannot_be_had_is_a_warning() {
        ours!("its daemons are forked by httpd's parent");
        let server = group("threads=2 memory-limit=3000000000");
        server.expect_log("WSGI0077");
        server.allow_log("WSGI01").allow_log("WSGI1");
        let supervisor = server.processes_named("wsgi-supervisor").remove(0);
        let pid = supervisor.pid.to_string();
        rundir::output_of("prlimit", &["--data=2000000000:2000000000", "--pid", &pid]);
        let first: i32 = value(&server, "imp('os').getpid()").parse().expect("a number");
        Process::of(first).expect("the daemon").signal(libc::SIGKILL);
        server.wait_for_log("WSGI0077");
        assert_eq!(limit(&server, "RLIMIT_DATA"), "(2000000000, 2000000000)");
    }
}
