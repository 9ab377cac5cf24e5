//! Script aliases, groups, callables, `.htaccess`, merging.

use crate::support::{Environ, Httpd, Mode, Response, conf};

/// The environ of a GET.
#[track_caller]
fn environ(server: &Httpd, target: &str) -> Environ {
    Environ::parse(&server.get(target).ok())
}

/// The environ of a GET for a host.
#[track_caller]
fn environ_of(server: &Httpd, host: &str, target: &str) -> Environ {
    Environ::parse(&server.request("GET", target, &[("Host", host)], b"").ok())
}

/// The same script in two sub-interpreters and in the main one.
fn counters(mode: Mode) -> Httpd {
    Httpd::with(
        "WSGIScriptAlias /one @apps@/counter.py application-group=one\n\
         WSGIScriptAlias /two @apps@/counter.py application-group=two\n\
         WSGIScriptAlias /main @apps@/counter.py application-group=%{GLOBAL}",
    )
    .mode(mode)
    .one_child()
    .start()
}

fn body(response: &Response) -> (u16, bool) {
    (response.status(), response.text().contains("PATH_INFO"))
}

both_modes! {
    fn an_alias_matches_whole_segments_only(mode) {
        let server = Httpd::with("WSGIScriptAlias /app @apps@/environ.py").mode(mode).start();
        assert_eq!(body(&server.get("/app")), (200, true));
        assert_eq!(body(&server.get("/app/")), (200, true));
        assert_eq!(body(&server.get("/app?x")), (200, true));
        assert_eq!(server.get("/apple").status(), 404);
        assert_eq!(server.get("/ap").status(), 404);
        assert_eq!(server.get("/x/app").status(), 404);
    }

    fn the_first_matching_alias_wins(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /a/b @apps@/hello.py\nWSGIScriptAlias /a @apps@/environ.py\n\
             WSGIScriptAlias /a/c @apps@/hello.py",
        )
        .mode(mode)
        .start();
        assert_eq!(server.get("/a/b").ok(), "Hello, WSGI\n");
        environ(&server, "/a/c").is("PATH_INFO", "/c");
    }

    fn mod_alias_comes_before_script_aliases(mode) {
        let server = Httpd::with("WSGIScriptAlias / @apps@/hello.py\nAlias /static @root@/htdocs")
            .mode(mode)
            .file("htdocs/a.txt", "static file")
            .start();
        assert_eq!(server.get("/static/a.txt").ok(), "static file");
        assert_eq!(server.get("/static-not").ok(), "Hello, WSGI\n");
    }

    fn an_alias_to_a_folder_serves_every_file_in_it(mode) {
        let server = Httpd::with("WSGIScriptAlias /dir/ @root@/dir/")
            .mode(mode)
            .file("dir/one.py", include_str!("../apps/environ.py"))
            .file("dir/two", include_str!("../apps/hello.py"))
            .start();
        let found = environ(&server, "/dir/one.py/info");
        found.is("SCRIPT_NAME", "/dir/one.py");
        found.is("PATH_INFO", "/info");
        assert_eq!(server.get("/dir/two").ok(), "Hello, WSGI\n");
        server.expect_log("WSGI0135");
        assert_eq!(server.get("/dir/three").status(), 404);
    }

    fn alias_match_substitutes_what_it_matched(mode) {
        let server = Httpd::with("WSGIScriptAliasMatch ^/run/([a-z]+) @apps@/$1.py")
            .mode(mode)
            .start();
        assert_eq!(server.get("/run/hello").ok(), "Hello, WSGI\n");
        let found = environ(&server, "/run/environ/more");
        found.is("SCRIPT_NAME", "/run/environ");
        found.is("PATH_INFO", "/more");
        server.expect_log("WSGI0135");
        assert_eq!(server.get("/run/nothing").status(), 404);
    }

    fn options_of_an_alias_choose_group_and_callable(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py callable-object=bare application-group=own",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/app");
        found.is("mod_wsgi.callable_object", "bare");
        found.is("mod_wsgi.application_group", "own");
        assert_eq!(found.kind("wsgi.input"), Some("Input"));
    }

    fn an_alias_option_wins_over_directives(mode) {
        let server = Httpd::with(
            "WSGIApplicationGroup outer\nWSGICallableObject none\n\
             WSGIScriptAlias /app @apps@/environ.py application-group=%{GLOBAL} \
             callable-object=bare",
        )
        .mode(mode)
        .start();
        let found = environ(&server, "/app");
        found.is("mod_wsgi.application_group", "");
        found.is("mod_wsgi.callable_object", "bare");
    }

    fn application_groups_expand(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nSetEnvIf X-Group (.+) group=$1\n\
             <Location /app/global>\nWSGIApplicationGroup %{GLOBAL}\n</Location>\n\
             <Location /app/resource>\nWSGIApplicationGroup %{RESOURCE}\n</Location>\n\
             <Location /app/server>\nWSGIApplicationGroup %{SERVER}\n</Location>\n\
             <Location /app/host>\nWSGIApplicationGroup %{HOST}\n</Location>\n\
             <Location /app/env>\nWSGIApplicationGroup %{ENV:group}\n</Location>\n\
             <Location /app/literal>\nWSGIApplicationGroup x-%{SERVER}\n</Location>\n\
             <Location /app/named>\nWSGIApplicationGroup named\n</Location>",
        )
        .mode(mode)
        .start();
        let group = |path: &str, value: &str| {
            environ_of(&server, "localhost:80", path).is("mod_wsgi.application_group", value);
        };
        group("/app/default", "localhost|/app");
        group("/app/global", "");
        group("/app/resource", "localhost|/app");
        group("/app/server", "localhost");
        group("/app/host", "localhost");
        group("/app/literal", "x-%{SERVER}");
        group("/app/named", "named");
        let with_group = |value: &str| {
            let headers = [("Host", "localhost:80"), ("X-Group", value)];
            Environ::parse(&server.request("GET", "/app/env", &headers, b"").ok())
        };
        with_group("fromenv").is("mod_wsgi.application_group", "fromenv");
        with_group("%{GLOBAL}").is("mod_wsgi.application_group", "");
    }

    fn a_port_that_is_not_the_default_is_part_of_a_group_name(mode) {
        let server = Httpd::serving("environ.py", mode);
        let port = server.port();
        let found = environ_of(&server, &format!("localhost:{port}"), "/");
        found.is("mod_wsgi.application_group", &format!("localhost:{port}|"));
        environ_of(&server, "localhost:443", "/").is("mod_wsgi.application_group", "localhost|");
    }

    fn the_host_group_follows_the_host_header(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/environ.py\nWSGIApplicationGroup %{HOST}",
        )
        .mode(mode)
        .start();
        let found = environ_of(&server, "Sub.Example.ORG:80", "/");
        found.is("mod_wsgi.application_group", "sub.example.org");
    }

    fn the_callable_is_chosen_by_directive_or_environment(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\n\
             <Location /app/named>\nWSGICallableObject bare\n</Location>\n\
             <Location /app/env>\nSetEnvIf X-Callable (.+) callable=$1\n\
             WSGICallableObject %{ENV:callable}\n</Location>",
        )
        .mode(mode)
        .start();
        environ(&server, "/app").is("mod_wsgi.callable_object", "application");
        environ(&server, "/app/named").is("mod_wsgi.callable_object", "bare");
        environ(&server, "/app/env").is("mod_wsgi.callable_object", "application");
        let response = server.request("GET", "/app/env", &[("X-Callable", "bare")], b"");
        Environ::parse(&response.ok()).is("mod_wsgi.callable_object", "bare");
    }

    fn htaccess_acts_where_allowed(mode) {
        let server = Httpd::with(
            "Alias /user @root@/user\n<Directory @root@/user>\nAllowOverride FileInfo Options\n\
             </Directory>",
        )
        .mode(mode)
        .file("user/.htaccess", "Options +ExecCGI\nSetHandler wsgi-script\nWSGICallableObject bare\n\
                                 WSGIPassAuthorization On\n")
        .file("user/app.py", include_str!("../apps/environ.py"))
        .start();
        let response =
            server.request("GET", "/user/app.py", &[("Authorization", "Bearer x")], b"");
        let found = Environ::parse(&response.ok());
        found.is("mod_wsgi.callable_object", "bare");
        found.is("HTTP_AUTHORIZATION", "Bearer x");
    }

    fn htaccess_cannot_choose_groups(mode) {
        let server = Httpd::with(
            "Alias /user @root@/user\n<Directory @root@/user>\nAllowOverride All\n</Directory>",
        )
        .mode(mode)
        .file("user/.htaccess", "Options +ExecCGI\nSetHandler wsgi-script\nWSGIApplicationGroup x\n")
        .file("user/app.py", include_str!("../apps/hello.py"))
        .start();
        server.expect_log("WSGIApplicationGroup not allowed here");
        assert_eq!(server.get("/user/app.py").status(), 500);
    }

    fn inner_sections_win_over_outer_ones(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /app @apps@/environ.py\nWSGIApplicationGroup main\n\
             <Directory @apps@>\nWSGIApplicationGroup directory\n</Directory>\n\
             <Location /app/in>\nWSGIApplicationGroup location\n</Location>\n\
             <Location /app/in/inner>\nWSGIApplicationGroup inner\n</Location>",
        )
        .mode(mode)
        .start();
        environ(&server, "/app").is("mod_wsgi.application_group", "directory");
        environ(&server, "/app/in").is("mod_wsgi.application_group", "location");
        environ(&server, "/app/in/inner").is("mod_wsgi.application_group", "inner");
    }

    fn a_virtual_host_inherits_and_overrides(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias /main @apps@/environ.py\nWSGIApplicationGroup main\n\
             WSGIPassAuthorization On\n\
             <VirtualHost *:@port@>\nServerName one.test\n</VirtualHost>\n\
             <VirtualHost *:@port@>\nServerName two.test\nWSGIApplicationGroup two\n\
             WSGIPassAuthorization Off\nWSGIScriptAlias /own @apps@/environ.py\n\
             WSGIScriptAlias /main/sub @apps@/hello.py\n</VirtualHost>",
        )
        .mode(mode)
        .start();
        let get = |host: &str, path: &str| {
            server.request("GET", path, &[("Host", host), ("Authorization", "Bearer x")], b"")
        };
        let found = Environ::parse(&get("one.test", "/main").ok());
        found.is("mod_wsgi.application_group", "main");
        found.is("HTTP_AUTHORIZATION", "Bearer x");
        let found = Environ::parse(&get("two.test", "/main").ok());
        found.is("mod_wsgi.application_group", "two");
        found.lacks("HTTP_AUTHORIZATION");
        assert_eq!(get("one.test", "/own").status(), 404);
        assert_eq!(get("two.test", "/own").status(), 200);
        // The virtual host's aliases are tried first.
        assert_eq!(get("two.test", "/main/sub").ok(), "Hello, WSGI\n");
    }

    fn interpreters_are_apart_and_created_once(mode) {
        let server = counters(mode);
        assert_eq!(server.get("/main").ok(), "1");
        for count in ["1", "2", "3"] {
            assert_eq!(server.get("/one").ok(), count);
        }
        assert_eq!(server.get("/two").ok(), "1");
        assert_eq!(server.get("/one").ok(), "4");
    }

    fn a_thread_takes_nothing_from_a_sub_interpreter_to_the_main_one(mode) {
        ours!("a thread that has served a sub-interpreter may serve the main one's requests there");
        let server = counters(mode);
        // More requests than threads: each of them has been in the other interpreter.
        for count in 1..=40 {
            assert_eq!(server.get("/one").ok(), count.to_string());
            assert_eq!(server.get("/main").ok(), count.to_string());
        }
    }

    fn thread_locals_live_as_long_as_the_thread(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/counter.py callable-object=per_thread application-group=one",
        )
        .mode(mode)
        .one_child()
        .start();
        // More requests than threads: a thread's own count passes one.
        let counts = (0..40).map(|_| server.get("/").ok().parse::<u32>().unwrap());
        assert!(counts.max().unwrap() > 1);
    }

    fn the_script_knows_its_file_and_has_a_name_of_its_own(mode) {
        let server = Httpd::serving("names.py", mode);
        let text = server.get("/").ok();
        let lines: Vec<&str> = text.lines().collect();
        let path = crate::support::rundir::run().apps.join("names.py");
        let path = path.to_str().unwrap();
        assert_eq!(lines[0], path);
        let digest = crate::support::environ::md5(path);
        assert_eq!(lines[1], format!("_mod_wsgi_{digest}"));
        assert_eq!(lines[2], "True", "the module is in sys.modules");
        assert_eq!(lines[3], "int", "__mtime__");
        assert_eq!(lines[4], "['mod_wsgi']", "sys.argv");
    }

    fn names_of_any_case_are_one_where_the_file_system_says_so(mode) {
        let server = Httpd::with(
            "WSGICaseSensitivity Off\nWSGIScriptAlias /App @apps@/environ.py\n\
             WSGIScriptAlias /Names @root@/Names.py",
        )
        .mode(mode)
        .file("Names.py", include_str!("../apps/names.py"))
        .start();
        let found = environ_of(&server, "localhost:80", "/App");
        found.is("mod_wsgi.application_group", "localhost|/app");
        found.is("SCRIPT_NAME", "/App");
        let path = server.path("Names.py").display().to_string().to_lowercase();
        let name = format!("_mod_wsgi_{}", crate::support::environ::md5(&path));
        assert_eq!(server.get("/Names").ok().lines().nth(1), Some(name.as_str()));
    }

    fn the_mod_wsgi_module_tells_where_it_runs(mode) {
        let server = Httpd::with(
            "WSGIScriptAlias / @apps@/evaluate.py application-group=named",
        )
        .mode(mode)
        .start();
        let text = server
            .get("/?imp('mod_wsgi').version;;imp('mod_wsgi').process_group;;\
                  imp('mod_wsgi').application_group;;imp('mod_wsgi').maximum_processes;;\
                  imp('mod_wsgi').threads_per_process;;imp('mod_wsgi').FileWrapper")
            .ok();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "(6, 1, 1)");
        assert_eq!(lines[1], mode.pick("''", "'app'"));
        assert_eq!(lines[2], "'named'");
        assert!(lines[3].parse::<u32>().unwrap() >= 1);
        let of_a_child = if conf::mpm() == "prefork" { "1" } else { "10" };
        assert_eq!(lines[4], if mode.is_daemon() { "5" } else { of_a_child });
        assert_eq!(lines[5], "<class 'mod_wsgi.FileWrapper'>");
    }
}

one! {
    fn process_groups_are_chosen_by_alias_directive_and_environment() {
        let server = Httpd::with(
            "WSGIDaemonProcess one threads=2\nWSGIDaemonProcess two threads=2\n\
             SetEnvIf X-Group (.+) group=$1\n\
             WSGIScriptAlias /alias @apps@/environ.py process-group=one\n\
             WSGIScriptAlias /app @apps@/environ.py\n\
             <Location /app/two>\nWSGIProcessGroup two\n</Location>\n\
             <Location /app/global>\nWSGIProcessGroup %{GLOBAL}\n</Location>\n\
             <Location /app/env>\nWSGIProcessGroup %{ENV:group}\n</Location>",
        )
        .start();
        environ(&server, "/alias").is("mod_wsgi.process_group", "one");
        environ(&server, "/app").is("mod_wsgi.process_group", "");
        environ(&server, "/app/two").is("mod_wsgi.process_group", "two");
        environ(&server, "/app/global").is("mod_wsgi.process_group", "");
        let response = server.request("GET", "/app/env", &[("X-Group", "one")], b"");
        Environ::parse(&response.ok()).is("mod_wsgi.process_group", "one");
    }

    fn an_unknown_process_group_is_500() {
        let server = Httpd::with("WSGIScriptAlias / @apps@/hello.py\nWSGIProcessGroup nowhere").start();
        server.expect_log("No WSGI daemon process called 'nowhere' has been configured");
        assert_eq!(server.get("/").status(), 500);
        server.allow_log("WSGI1042");
        let record = server.wait_for_log("called 'nowhere'");
        assert!(record.line.contains("WSGI0150") || record.line.contains("WSGI0151"), "{}", record.line);
    }

    fn a_group_of_another_virtual_host_is_500() {
        let server = Httpd::with(
            "<VirtualHost *:@port@>\nServerName one.test\nWSGIDaemonProcess private threads=1\n\
             WSGIProcessGroup private\nWSGIScriptAlias / @apps@/hello.py\n</VirtualHost>\n\
             <VirtualHost *:@port@>\nServerName two.test\nWSGIProcessGroup private\n\
             WSGIScriptAlias / @apps@/hello.py\n</VirtualHost>",
        )
        .start();
        let get = |host: &str| server.request("GET", "/", &[("Host", host)], b"");
        assert_eq!(get("one.test").ok(), "Hello, WSGI\n");
        server.expect_log("WSGI0152").allow_log("WSGI1043");
        assert_eq!(get("two.test").status(), 500);
    }

    fn import_scripts_run_before_the_first_request() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\nSetEnv MARK 1\n\
             WSGIImportScript @root@/import.py process-group=app application-group=%{GLOBAL}",
        )
        .file("import.py", "open('@root@/out/imported', 'a').write(__name__ + '\\n')\n")
        .start();
        let text = server.wait_for_out("imported");
        assert!(text.starts_with("_mod_wsgi_"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    fn an_import_script_that_fails_is_logged_and_the_process_serves() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @apps@/hello.py\n\
             WSGIImportScript @apps@/scripts/import_error.py process-group=app \
             application-group=%{GLOBAL}",
        )
        .start();
        server.expect_log("WSGI0110").expect_traceback("RuntimeError: import fails");
        server.allow_log("WSGI0174");
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
    }

    fn a_fully_specified_alias_is_loaded_at_start() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2\n\
             WSGIScriptAlias / @root@/app.py process-group=app application-group=%{GLOBAL}",
        )
        .file("app.py", "open('@root@/out/loaded', 'a').write('x')\n\
                         def application(environ, start_response):\n    \
                         start_response('200 OK', [])\n    return [b'preloaded']\n")
        .start();
        assert_eq!(server.wait_for_out("loaded"), "x");
        assert_eq!(server.get("/").ok(), "preloaded");
        assert_eq!(server.out("loaded"), "x");
    }

    fn an_import_script_of_the_embedded_processes_runs_there() {
        let server = Httpd::with(
            "WSGIImportScript @root@/import.py process-group=%{GLOBAL} application-group=%{GLOBAL}",
        )
        .file("import.py", "import mod_wsgi\n\
                            open('@root@/out/imported', 'a').write(repr(mod_wsgi.process_group))\n")
        .start();
        assert!(server.wait_for_out("imported").starts_with("''"));
    }

    fn embedded_requests_are_refused_when_restricted() {
        let server = Httpd::with(
            "WSGIRestrictEmbedded On\nWSGIDaemonProcess app threads=2\n\
             WSGIScriptAlias /embedded @apps@/hello.py\n\
             WSGIScriptAlias /daemon @apps@/hello.py process-group=app",
        )
        .start();
        server.expect_log("WSGI0143");
        assert_eq!(server.get("/embedded").status(), 500);
        assert_eq!(server.get("/daemon").ok(), "Hello, WSGI\n");
    }

    fn python_path_of_a_group_is_in_front_of_sys_path() {
        let server = Httpd::with(
            "WSGIDaemonProcess app threads=2 python-path=@root@/lib1:@root@/lib2\n\
             WSGIProcessGroup app\nWSGIScriptAlias / @apps@/evaluate.py",
        )
        .file("lib1/suite_module.py", "WHERE = 'lib1'\n")
        .file("lib2/suite_module.py", "WHERE = 'lib2'\n")
        .file("lib2/other.pth", "@root@/lib3\n")
        .file("lib3/third_module.py", "WHERE = 'lib3'\n")
        .start();
        let text = server
            .get("/?imp('suite_module').WHERE;;imp('third_module').WHERE;;imp('sys').path[:2]")
            .ok();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[..2], ["'lib1'", "'lib3'"], "{text}");
        let expected = format!("['{0}/lib1', '{0}/lib2']", server.path("").display());
        assert_eq!(lines[2], expected.replace("//", "/"));
    }

    fn python_path_of_the_server_is_for_embedded_interpreters() {
        let server = Httpd::with(
            "WSGIPythonPath @root@/lib\nWSGIDaemonProcess app threads=2\n\
             WSGIScriptAlias /embedded @apps@/evaluate.py\n\
             WSGIScriptAlias /daemon @apps@/evaluate.py process-group=app",
        )
        .file("lib/suite_module.py", "WHERE = 'lib'\n")
        .start();
        assert_eq!(server.get("/embedded?imp('suite_module').WHERE").ok(), "'lib'");
        let text = server.get("/daemon?imp('suite_module').WHERE").ok();
        assert!(text.starts_with("ModuleNotFoundError: "), "{text}");
    }

    fn the_server_token_names_module_and_python() {
        let server = Httpd::with("ServerTokens Full\nWSGIScriptAlias / @apps@/environ.py")
            .mode(Mode::Daemon)
            .start();
        let response = server.get("/");
        let token = response.header("server").unwrap();
        assert!(token.contains("mod_wsgi/6.1.1 Python/3."), "{token}");
        Environ::parse(&response.ok()).is("SERVER_SOFTWARE", token);
    }

    fn conditional_sections_see_the_module() {
        let server = Httpd::with(
            "<IfModule mod_wsgi.c>\n<IfModule wsgi_module>\nWSGIScriptAlias / @apps@/hello.py\n\
             </IfModule>\n</IfModule>\nLogLevel wsgi:trace1",
        )
        .start();
        assert_eq!(server.get("/").ok(), "Hello, WSGI\n");
    }
}
