//! Defaults of daemon process groups, and of requests.

use std::time::Duration;

use super::super::daemon::{Bodies, DaemonGroup, Defaults};
use super::super::*;
use super::support::Config;
use crate::{
    control::{Buffers, Limits, LogFormat, ReloadMode},
    mapping::{Lookups, handler_script, resolve},
    ownership::ScriptOwner,
    timers::Timers,
};

fn apache() -> Account {
    Account { name: "www-data".into(), uid: 33, gid: 33, home: "/var/www".into() }
}

fn group(options: &str, is_root: bool) -> Result<DaemonGroup, String> {
    let mut config = Config::default();
    config.main(&format!("WSGIDaemonProcess blog {options}")).unwrap();
    let account = apache();
    let defaults = Defaults {
        is_root,
        account: &account,
        timeout: Duration::from_secs(60),
        python_home: Some("/srv/global"),
    };
    config.last_group().resolve(1, &defaults).map_err(|error| error.0)
}

#[test]
fn a_bare_group_has_the_defaults_of_the_contract() {
    let expected = DaemonGroup {
        name: "blog".into(),
        id: 1,
        server: ServerId::MAIN,
        switches_user: true,
        user: "www-data".into(),
        uid: 33,
        gid: 33,
        user_home: "/var/www".into(),
        supplementary_groups: None,
        umask: None,
        chroot: None,
        home: None,
        working_directory: None,
        lang: None,
        locale: None,
        environment: Vec::new(),
        display_name: None,
        python_home: Some("/srv/global".into()),
        python_path: None,
        python_eggs: None,
        switch_interval: None,
        limits: Limits::default(),
        script_owner: None,
        processes: 1,
        threads: 15,
        multiprocess: false,
        server_metrics: false,
        run_once: false,
        listen_backlog: 100,
        shutdown_timeout: Some(Duration::from_secs(5)),
        graceful_timeout: Some(Duration::from_secs(15)),
        eviction_timeout: Some(Duration::from_secs(15)),
        restart_interval: None,
        connect_timeout: Duration::from_secs(15),
        socket_timeout: Duration::from_secs(60),
        queue_timeout: None,
        response_flush_delay: Duration::from_millis(5),
        response_socket_timeout: None,
        header_buffer_size: 32768,
        response_buffer_size: 8_388_608,
        bodies: Bodies {
            request: RequestBuffering::Memory(65_536),
            response_memory: 65_536,
            response_file: 1 << 30,
        },
        buffers: Buffers::default(),
        memory_soft_limit: None,
        keeps_on_restart: false,
        first_gets_main: false,
        reload: ReloadMode::Restart,
        log_format: LogFormat::Text,
        reload_on: Vec::new(),
        timers: Timers { deadlock_timeout: 300, ..Timers::default() },
    };
    assert_eq!(group("", true), Ok(expected));
}

#[test]
fn timers_are_those_given_and_zero_switches_them_off() {
    let found = group(
        "maximum-requests=1 startup-timeout=2 deadlock-timeout=0 inactivity-timeout=4 \
         request-timeout=5 interrupt-timeout=6",
        true,
    );
    let expected = Timers {
        maximum_requests: 1,
        startup_timeout: 2,
        deadlock_timeout: 0,
        inactivity_timeout: 4,
        request_timeout: 5,
        interrupt_timeout: 6,
    };
    assert_eq!(found.unwrap().timers, expected);
}

#[test]
fn zero_means_what_the_contract_says() {
    let found = group(
        "shutdown-timeout=0 socket-timeout=0 queue-timeout=0 header-buffer-size=0 \
         response-flush-delay=0 connect-timeout=0",
        true,
    )
    .unwrap();
    assert_eq!(found.shutdown_timeout, None);
    assert_eq!(found.socket_timeout, Duration::from_secs(60));
    assert_eq!(found.queue_timeout, None);
    assert_eq!(found.header_buffer_size, 32768);
    assert_eq!(found.response_flush_delay, Duration::ZERO);
    assert_eq!(found.connect_timeout, Duration::ZERO);
    let found = group("shutdown-timeout=9 socket-timeout=7 queue-timeout=3", true).unwrap();
    assert_eq!(found.shutdown_timeout, Some(Duration::from_secs(9)));
    assert_eq!(found.socket_timeout, Duration::from_secs(7));
    assert_eq!(found.queue_timeout, Some(Duration::from_secs(3)));
}

#[test]
fn limits_and_settings_of_python_reach_the_group() {
    let found = group(
        "cpu-priority=-5 cpu-time-limit=9 memory-limit=9000000000 virtual-memory-limit=1 \
         stack-size=65536 python-eggs=/eggs switch-interval=0.25",
        true,
    )
    .unwrap();
    let limits = Limits {
        priority: -5,
        cpu_time: 9,
        memory: 9_000_000_000,
        virtual_memory: 1,
        stack_size: 65536,
    };
    assert_eq!(found.limits, limits);
    assert_eq!(found.python_eggs.as_deref(), Some("/eggs"));
    assert_eq!(found.switch_interval, Some(Duration::from_millis(250)));
    let found = group("switch-interval=99999999999999999999999", true).unwrap();
    assert_eq!(found.switch_interval, Some(Duration::MAX));
}

#[test]
fn the_owner_of_scripts_is_known_by_number() {
    let owner = |options: &str| group(options, true).unwrap().script_owner;
    assert_eq!(owner("script-user=blog"), Some(ScriptOwner::User(1000)));
    assert_eq!(owner("script-user=root"), Some(ScriptOwner::User(0)));
    assert_eq!(owner("script-group=media"), Some(ScriptOwner::Group(1002)));
    assert_eq!(group("script-user=#1000", false).unwrap().script_owner, owner("script-user=blog"));
}

#[test]
fn sizes_of_buffers_and_the_limit_of_writes_to_the_client() {
    let found = group(
        "send-buffer-size=1024 receive-buffer-size=2048 response-buffer-size=65536 \
         response-socket-timeout=7 socket-timeout=9",
        true,
    )
    .unwrap();
    assert_eq!(found.buffers, Buffers { send: 1024, receive: 2048 });
    assert_eq!((found.response_buffer_size, found.bodies.response_memory), (65536, 65536));
    assert_eq!(found.response_socket_timeout, Some(Duration::from_secs(7)));
    let found = group("response-buffer-size=0 response-socket-timeout=0 socket-timeout=9", true);
    let found = found.unwrap();
    assert_eq!(found.response_buffer_size, 8_388_608);
    assert_eq!(found.response_socket_timeout, Some(Duration::from_secs(9)));
}

#[test]
fn options_of_ours_reach_the_group() {
    let found = group(
        "memory-soft-limit=1000 on-restart=keep reload=rolling reload-on=/srv/*.py:/srv/x.ini",
        true,
    )
    .unwrap();
    assert_eq!(found.memory_soft_limit, Some(1000));
    assert_eq!(group("response-spool-limit=0", true).unwrap().bodies.response_file, 0);
    assert!(found.keeps_on_restart);
    assert_eq!(found.reload, ReloadMode::Rolling);
    assert_eq!(found.reload_on, ["/srv/*.py", "/srv/x.ini"]);
    let found = group("memory-soft-limit=0 on-restart=replace reload=restart", true).unwrap();
    assert_eq!((found.memory_soft_limit, found.keeps_on_restart), (None, false));
}

#[test]
fn giving_processes_makes_the_group_multiprocess() {
    assert!(group("processes=1", true).unwrap().multiprocess);
    assert!(!group("threads=1", true).unwrap().multithread());
    assert!(group("threads=2", true).unwrap().multithread());
    assert!(group("threads=1 maximum-requests=1", true).unwrap().run_once);
    assert!(!group("threads=1 maximum-requests=2", true).unwrap().run_once);
    assert!(!group("maximum-requests=1", true).unwrap().run_once);
}

#[test]
fn identity_is_switched_by_root_only() {
    let options = "user=blog group=media supplementary-groups=blog,media,#9";
    let found = group(options, true).unwrap();
    assert_eq!((found.user.as_str(), found.uid, found.gid), ("blog", 1000, 1002));
    assert_eq!(found.supplementary_groups, Some(vec![1002, 1001, 9]));
    assert_eq!(found.user_home, "/home/blog");
    // Another user than httpd's starts in its home directory.
    assert_eq!(found.working_directory.as_deref(), Some("/home/blog"));
    assert_eq!(found.home, None);

    let found = group(options, false).unwrap();
    assert_eq!((found.user.as_str(), found.uid, found.gid), ("www-data", 33, 33));
    assert!(!found.switches_user);
    assert_eq!(found.working_directory, None);

    let found = group("user=www-data", true).unwrap();
    assert_eq!(found.working_directory, None);
    let found = group("user=blog home=/srv", true).unwrap();
    assert_eq!(found.working_directory.as_deref(), Some("/srv"));
    assert_eq!(found.home.as_deref(), Some("/srv"));
}

#[test]
fn a_root_httpd_user_is_no_default() {
    let mut config = Config::default();
    config.main("WSGIDaemonProcess blog").unwrap();
    let root = Account { name: "root".into(), uid: 0, gid: 0, home: "/root".into() };
    let defaults = |is_root| Defaults {
        is_root,
        account: &root,
        timeout: Duration::from_secs(1),
        python_home: None,
    };
    let text = config.last_group().resolve(1, &defaults(true)).unwrap_err().0;
    assert!(text.starts_with("WSGI process blocked from running as root."), "{text}");
}

#[test]
fn titles_and_homes() {
    let title = |options: &str| group(options, true).unwrap().display_name;
    assert_eq!(title("display-name=%{GROUP}").as_deref(), Some("(wsgi:blog)"));
    assert_eq!(title("display-name='my blog'").as_deref(), Some("my blog"));
    assert_eq!(title("display-name=x%{GROUP}").as_deref(), Some("x%{GROUP}"));
    let found = group("python-home= python-path= lang= locale='' display-name=\"\"", true).unwrap();
    assert_eq!(found.python_home.as_deref(), Some("/srv/global"));
    let texts = [found.python_path, found.lang, found.locale, found.display_name];
    assert_eq!(texts, [None, None, None, None]);
    let found = group("supplementary-groups=", true).unwrap();
    assert_eq!(found.supplementary_groups, Some(vec![33]));
    let found = group("python-home=/srv/venv python-path=/a:/b", true).unwrap();
    assert_eq!(found.python_home.as_deref(), Some("/srv/venv"));
    assert_eq!(found.python_path.as_deref(), Some("/a:/b"));
}

/// A request that knows nothing but its names.
struct Request;

impl Lookups for Request {
    fn server_name(&self) -> String {
        "example.org".into()
    }
    fn hostname(&self) -> Option<String> {
        None
    }
    fn port(&self) -> u16 {
        80
    }
    fn script_name(&self) -> String {
        "/app".into()
    }
    fn variable(&self, name: &str) -> Option<String> {
        (name == "GROUP").then(|| "from-env".to_owned())
    }
}

#[test]
fn a_request_without_configuration_has_the_defaults() {
    let none = Scoped::default();
    let found = resolve(&none, &none, None, None, &Request);
    assert_eq!(found.process_group, "");
    assert_eq!(found.application_group, "example.org|/app");
    assert_eq!(found.callable_object, "application");
    assert!(found.script_reloading);
    assert_eq!(found.map_head_to_get, MapHead::Auto);
    let others = [
        found.pass_authorization,
        found.error_override,
        found.chunked_request,
        found.pass_apache_request,
        found.ignore_activity,
        found.enable_sendfile,
    ];
    assert_eq!(others, [false; 6]);
}

#[test]
fn the_directory_wins_over_the_server_and_inline_options_over_both() {
    let mut config = Config::default();
    for line in [
        "WSGIProcessGroup server",
        "WSGIApplicationGroup server",
        "WSGICallableObject server",
        "WSGIPassAuthorization On",
        "WSGIScriptReloading Off",
        "WSGIErrorOverride On",
        "WSGIHandlerScript one /server-one",
        "WSGIHandlerScript two /server-two process-group=%{ENV:GROUP}",
    ] {
        config.main(line).unwrap();
    }
    for line in [
        "WSGIProcessGroup directory",
        "WSGICallableObject %{ENV:GROUP}",
        "WSGIPassAuthorization Off",
        "WSGIErrorOverride Off",
        "WSGIHandlerScript one /dir-one",
    ] {
        config.directory(line).unwrap();
    }
    config
        .main("WSGIScriptAlias /x /x process-group=%{SERVER} callable-object=%{ENV:GROUP} pass-authorization=On")
        .unwrap();
    let (server, dir) = (&config.main_server().scoped, &config.dir.scoped);

    let plain = resolve(server, dir, None, None, &Request);
    assert_eq!(plain.process_group, "directory");
    assert_eq!(plain.application_group, "server");
    assert_eq!(plain.callable_object, "from-env");
    assert!(!plain.pass_authorization && !plain.script_reloading && !plain.error_override);
    // It says the same as the merged configuration does.
    let merged = Scoped::merge(server, dir);
    assert_eq!(plain, resolve(&merged, &Scoped::default(), None, None, &Request));
    assert_eq!(plain, resolve(&Scoped::default(), &merged, None, None, &Request));

    let alias = &config.main_server().aliases[0].options;
    let aliased = resolve(server, dir, Some(alias), None, &Request);
    assert_eq!(aliased.process_group, "example.org");
    assert_eq!(aliased.application_group, "server");
    // Inline the callable is literal.
    assert_eq!(aliased.callable_object, "%{ENV:GROUP}");
    assert!(aliased.pass_authorization);

    let two = handler_script(server, dir, "two").unwrap();
    let handled = resolve(server, dir, Some(alias), Some(two), &Request);
    assert_eq!(handled.process_group, "from-env");
    assert_eq!(handled.callable_object, "handle_request");
    assert!(handled.pass_authorization);
    assert_eq!(handler_script(server, dir, "one").unwrap().path, "/dir-one");
    assert_eq!(handler_script(server, dir, "none"), None);
}

#[test]
fn empty_names_are_embedded_and_the_main_interpreter() {
    let mut config = Config::default();
    config.main("WSGIProcessGroup %{GLOBAL}").unwrap();
    config.main("WSGIApplicationGroup \"\"").unwrap();
    let none = Scoped::default();
    let found = resolve(&config.main_server().scoped, &none, None, None, &Request);
    assert_eq!((found.process_group.as_ref(), found.application_group.as_ref()), ("", ""));
}
