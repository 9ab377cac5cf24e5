//! The command `mod-wsgi-rs`: what `start-server` serves, and its other commands.

use std::fs;
use std::path::Path;

use crate::support::command::{self, Served, folder, run, said};
use crate::support::curl::{self, curl};
use crate::support::{poll, ports, process, rundir};

const HELLO: &str = "
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'hello from %s|%s' % (environ['SCRIPT_NAME'].encode(), environ['PATH_INFO'].encode())]
";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

one! {
    fn start_server_serves_a_script_and_static_files_before_it() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        let script = write(path, "my app.wsgi", HELLO);
        write(path, "files/favicon.ico", "icon");
        write(path, "files/with space/a.txt", "a text");
        write(path, "else/other.txt", "aliased");
        let other = path.join("else");
        let served = Served::start(path, &[
            &script, "--document-root", "files", "--url-alias", "/other", other.to_str().unwrap(),
        ]);
        assert_eq!(served.get("/").ok(), "hello from |/");
        assert_eq!(served.get("/some/where?q").ok(), "hello from |/some/where");
        assert_eq!(served.get("/favicon.ico").ok(), "icon");
        assert_eq!(served.get("/with%20space/a.txt").ok(), "a text");
        assert_eq!(served.get("/with%20space/").ok(), "hello from |/with space/");
        assert_eq!(served.get("/other/other.txt").ok(), "aliased");
        assert_eq!(served.get("/../my%20app.wsgi").status(), 400);
        assert!(served.output().contains(&format!("http://127.0.0.1:{}/", served.port())));
        assert_eq!(served.end_by(libc::SIGTERM), Some(0));
    }

    fn start_server_serves_a_module_below_a_mount_point() {
        needs_command!();
        let folder = folder();
        write(folder.path(), "lib/shop/__init__.py", "");
        write(folder.path(), "lib/shop/wsgi.py", &HELLO.replace("application", "app"));
        let served = Served::start(folder.path(), &[
            "shop.wsgi:app", "--python-path", "lib", "--mount-point", "/shop/",
            "--processes", "2", "--threads", "3",
        ]);
        assert_eq!(served.get("/shop/cart").ok(), "hello from /shop|/cart");
        assert_eq!(served.get("/elsewhere").status(), 404);
        let conf = fs::read_to_string(served.root().join("httpd.conf")).unwrap();
        assert!(conf.contains("processes=2 threads=3"), "{conf}");
        let daemons = process::tree(served.pid());
        let named = daemons.iter().filter(|one| one.command().starts_with("(wsgi:127.0.0.1:"));
        assert_eq!(named.count(), 2, "{:?}", daemons.iter().map(|one| one.command()).collect::<Vec<_>>());
        assert_eq!(served.end_by(libc::SIGINT), Some(0));
    }

    fn start_server_serves_a_directory() {
        needs_command!();
        let folder = folder();
        write(folder.path(), "site/index.html", "the index");
        write(folder.path(), "site/more/page.html", "a page");
        let served = Served::start(folder.path(), &["site", "--directory-listing"]);
        assert_eq!(served.get("/").ok(), "the index");
        assert!(served.get("/more/").ok().contains("page.html"));
        assert!(!process::tree(served.pid()).iter().any(|one| one.name().starts_with("wsgi-")));
    }

    fn start_server_serves_a_django_project_with_its_static_files() {
        needs_command!();
        let Some(venv) = rundir::venv() else {
            crate::support::original::skipped("needs WSGI_TEST_VENV");
            return;
        };
        let folder = folder();
        let path = folder.path();
        write(path, "manage.py", "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'site1.settings')\n");
        write(path, "site1/__init__.py", "");
        write(path, "site1/settings.py", &format!(
            "SECRET_KEY = 'x'\nALLOWED_HOSTS = ['*']\nROOT_URLCONF = 'site1.urls'\n\
             WSGI_APPLICATION = 'site1.wsgi.application'\nSTATIC_URL = '/static/'\n\
             STATIC_ROOT = r'{}'\n", path.join("collected").display()));
        write(path, "site1/urls.py", "from django.http import HttpResponse\nfrom django.urls import path\n\
             urlpatterns = [path('', lambda request: HttpResponse('from django'))]\n");
        write(path, "site1/wsgi.py", "from django.core.wsgi import get_wsgi_application\napplication = get_wsgi_application()\n");
        write(path, "collected/site.css", "body {}");
        let home = venv.to_str().unwrap();
        let served = Served::start(path, &[".", "--python-home", home]);
        assert_eq!(served.get("/").ok(), "from django");
        assert_eq!(served.get("/static/site.css").ok(), "body {}");
    }

    fn start_server_without_an_application_shows_that_it_works() {
        needs_command!();
        let folder = folder();
        let served = Served::start(folder.path(), &["--embedded-mode", "--server-status"]);
        assert!(served.get("/").ok().contains("<html"));
        assert!(served.get("/server-status").ok().contains("Apache Server Status"));
        assert!(!process::tree(served.pid()).iter().any(|one| one.name().starts_with("wsgi-daemon")));
    }

    fn start_server_reloads_when_a_module_changes() {
        needs_command!();
        let folder = folder();
        let module = write(folder.path(), "part.py", "TEXT = 'old'\n");
        let script = write(folder.path(), "app.wsgi", "import part\n\
            def application(environ, start_response):\n    start_response('200 OK', [])\n    return [part.TEXT.encode()]\n");
        let served = Served::start(folder.path(), &[&script, "--reload-on-changes"]).expect("monitor (pid=");
        assert_eq!(served.get("/").ok(), "old");
        poll("the reloader to have seen the module", || {
            let text = format!("TEXT = 'new, {}'\n", served.log().len());
            rundir::replace(Path::new(&module), &text, 2);
            std::thread::sleep(std::time::Duration::from_millis(300));
            served.get("/").ok().starts_with("new").then_some(())
        });
        assert!(served.log().contains("Change detected to"), "{}", served.log());
    }

    fn start_server_speaks_tls_and_redirects_to_it() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", HELLO);
        let (certificate, key) = curl::certificate();
        let port = ports::take();
        let number = port.number.to_string();
        let served = Served::start(folder.path(), &[
            &script, "--https-port", &number, "--https-only", "--hsts-policy", "max-age=60",
            "--http2", "--ssl-certificate-file", certificate.to_str().unwrap(),
            "--ssl-certificate-key-file", key.to_str().unwrap(), "--log-level", "error",
        ]);
        let answer = curl(&["--insecure", &format!("https://127.0.0.1:{number}/a")]);
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello from |/a"));
        assert!(answer.head.to_lowercase().contains("strict-transport-security: max-age=60"));
        assert_eq!(answer.version, "2");
        for url in ["/b?c=d", "/a%20b%3Fc/%c3%a4?d=%20e", "/a%0d%0aX-Own:%201"] {
            let moved = served.get_as(url, &[("Host", "localhost")]);
            let target = format!("https://localhost:{number}{url}");
            assert_eq!((moved.status(), moved.header("Location")), (301, Some(target.as_str())));
        }
    }

    fn start_server_takes_paths_from_where_it_is_called() {
        needs_command!();
        needs_modules!("flask");
        let folder = folder();
        let path = folder.path();
        let script = write(path, "app.wsgi", "
import sys
def application(environ, start_response):
    start_response('200 OK', [])
    return [sys.prefix.encode()]
");
        write(path, "files/own.txt", "a file");
        write(path, "files/.htaccess", "AddType text/own .txt");
        write(path, "files/.htpasswd", "spy:hash");
        std::os::unix::fs::symlink(rundir::venv().unwrap(), path.join("home")).unwrap();
        let served = Served::start(path, &[
            &script, "--document-root", "files", "--python-home", "home", "--allow-override", "FileInfo",
        ]).expect("AH01630");
        assert_eq!(served.get("/").ok(), path.join("home").display().to_string());
        let file = served.get("/own.txt");
        assert_eq!((file.status(), file.header("Content-Type")), (200, Some("text/own")));
        for hidden in ["/.htaccess", "/.htpasswd"] {
            assert_eq!(served.get(hidden).status(), 403, "{hidden}");
        }
    }

    fn start_server_answers_to_its_names_only() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", HELLO);
        let served = Served::start(folder.path(), &[
            &script, "--server-name", "www.example.com", "--server-alias", "*.example.org",
        ]).expect("AH01630");
        let status = |host| served.get_as("/x", &[("Host", host)]).status();
        assert_eq!((status("www.example.com"), status("a.example.org")), (200, 200));
        assert_eq!((status("other.example"), status("example.com")), (403, 301));
    }

    fn start_server_takes_the_options_of_the_application() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", "
import os, sys
def main(environ, start_response):
    start_response('200 OK', [])
    facts = [environ.get('KEY'), os.getcwd(), os.environ['MOD_WSGI_EXPRESS'], environ['REMOTE_ADDR'],
             environ['mod_wsgi.process_group'], sys.path[1]]
    return [repr(facts).encode()]
");
        fs::create_dir(folder.path().join("work dir")).unwrap();
        fs::create_dir(folder.path().join("lib dir")).unwrap();
        let served = Served::start(folder.path(), &[
            &script, "--callable-object", "main", "--setenv", "KEY", "two \"words\" \\ $x",
            "--working-directory", "work dir", "--python-path", "lib dir", "--process-group", "shop",
            "--trust-proxy-header", "X-Forwarded-For", "--trust-proxy", "127.0.0.1",
            "--request-timeout", "7", "--error-document", "404", "/oops",
        ]);
        let text = served.get_as("/", &[("X-Forwarded-For", "192.0.2.7")]).ok();
        let (work, lib) = (folder.path().join("work dir"), folder.path().join("lib dir"));
        let expected = format!(
            "['two \"words\" \\\\ $x', '{}', 'true', '192.0.2.7', 'shop', '{}']",
            work.display(), lib.display(),
        );
        assert_eq!(text, expected);
        let conf = fs::read_to_string(served.root().join("httpd.conf")).unwrap();
        assert!(conf.contains("request-timeout=7") && conf.contains("ErrorDocument 404 /oops"), "{conf}");
    }

    fn start_server_passes_on_to_other_servers_and_asks_for_passwords() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", HELLO);
        let behind = Served::start(folder.path(), &[&script]);
        let own = folder.path().join("front");
        fs::create_dir(&own).unwrap();
        rundir::mode(&own, 0o755);
        let users = write(&own, "users.py", "
def check_password(environ, user, password):
    return (user, password) == ('spy', 'secret')
");
        let url = format!("http://127.0.0.1:{}/", behind.port());
        let served = Served::start(&own, &[
            &script, "--proxy-mount-point", "/other", &url, "--auth-user-script", &users,
        ]);
        assert_eq!(served.get("/").status(), 401);
        let login = [("Authorization", "Basic c3B5OnNlY3JldA==")];
        assert_eq!(served.get_as("/in", &login).ok(), "hello from |/in");
        assert_eq!(served.get_as("/other/x", &login).ok(), "hello from |/x");
        assert_eq!(served.get_as("/other", &login).status(), 302);
    }

    fn a_service_runs_beside_the_application_and_logs_go_to_the_terminal() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", HELLO);
        let service = write(folder.path(), "service.py", "import time\nprint('service is up', flush=True)\ntime.sleep(60)\n");
        let served = Served::start(folder.path(), &[
            &script, "--service-script", "clock", &service, "--log-to-terminal", "--access-log",
        ]);
        assert_eq!(served.get("/logged").ok(), "hello from |/logged");
        poll("both lines", || {
            let text = served.output();
            (text.contains("service is up") && text.contains("\"GET /logged HTTP/1.1\" 200")).then_some(())
        });
        assert!(!served.output().contains('\x1b'), "colours in a file: {}", served.output());
        assert_eq!(served.end_by(libc::SIGTERM), Some(0));
    }

    fn every_option_gives_a_configuration_that_httpd_takes() {
        needs_command!();
        let folder = folder();
        let path = folder.path();
        let script = write(path, "app.wsgi", HELLO);
        write(path, "more.conf", "# nothing\n");
        // A function for each of them.
        let asked = ["handle_request", "allow_access", "get_realm_hash", "groups_for_user"];
        let asked = asked.map(|name| format!("def {name}(*args):\n    pass\n")).concat();
        let asked = write(path, "asked.py", &asked);
        let (certificate, key) = curl::certificate();
        let mut arguments: Vec<&str> = vec!["setup-server", &script, "--server-root"];
        let root = path.join("root");
        arguments.push(root.to_str().unwrap());
        arguments.extend(command::identity());
        let words = format!(
            "--host 127.0.0.1 --http2 --https-port 8443 --ssl-certificate-file {certificate} --ssl-certificate-key-file {key} \
             --ssl-ca-certificate-file {certificate} --ssl-verify-client /in --ssl-certificate-chain-file {certificate} \
             --ssl-environment --server-name www.example.com --server-alias example.org --allow-localhost \
             --processes 2 --threads 3 --max-clients 90 --initial-workers 0.1 --minimum-spare-workers 0.1 \
             --maximum-spare-workers 0.5 --server-backlog 9 --daemon-backlog 9 --keep-alive-timeout 0 \
             --limit-request-body 0 --maximum-requests 9 --server-mpm worker --startup-timeout 9 --shutdown-timeout 9 \
             --request-timeout 9 --interrupt-timeout 9 --restart-interval 99 --cpu-time-limit 9 --graceful-timeout 9 \
             --eviction-timeout 9 --deadlock-timeout 9 --inactivity-timeout 9 --ignore-activity /health \
             --connect-timeout 9 --socket-timeout 99 --queue-timeout 9 --response-socket-timeout 9 \
             --response-flush-delay 9 --proxy-timeout 9 --header-timeout 9 --header-max-timeout 19 --header-min-rate 9 \
             --body-timeout 0 --body-max-timeout 9 --body-min-rate 9 --send-buffer-size 1024 \
             --receive-buffer-size 1024 --header-buffer-size 9000 --response-buffer-size 70000 \
             --callable-object application --application-group own --process-group shop --mount-point /shop \
             --working-directory . --python-path . --python-eggs . --python-warnings ignore --switch-interval 0.01 \
             --orphan-interpreter --locale C.UTF-8 --setenv A b --passenv PATH --reload-on-changes \
             --document-root . --directory-index index.html --directory-listing --allow-override FileInfo \
             --url-alias /a . --url-alias /b more.conf --error-document 404 /oops --error-override \
             --add-handler .page {asked} --chunked-request --map-head-to-get on --compress-responses \
             --enable-sendfile --with-cgi --proxy-mount-point /p http://localhost:1/ \
             --proxy-virtual-host other.example http://localhost:1/ --trust-proxy-header X-Forwarded-For \
             --trust-proxy 10.0.0.0/8 --host-access-script {asked} --auth-user-script {asked} --auth-type Digest \
             --auth-group-script {asked} --auth-group staff --log-level info --access-log --access-log-format combined \
             --error-log-format %M --log-format json --error-log-name e --access-log-name a --startup-log \
             --startup-log-name s --rotate-logs --max-log-size 9 --log-directory . --server-metrics --server-status \
             --telemetry-service unix:/run/none --telemetry-interval 9 --telemetry-options None --slow-requests 9 \
             --service-script clock app.wsgi --pid-file pid --include-file more.conf --rewrite-rules more.conf \
             --mime-types /dev/null",
            certificate = certificate.display(), key = key.display(),
        );
        arguments.extend(words.split_whitespace());
        said(&run(path, &arguments));
        let embedded = ["--embedded-mode", "--disable-reloading", "--python-path", ".", "--python-eggs", "."];
        let mut again: Vec<&str> = vec!["setup-server", &script, "--server-root", root.to_str().unwrap()];
        again.extend(command::identity());
        again.extend(embedded);
        said(&run(path, &again));
        // Whatever is new stands in one of the two, or here with its reason.
        let elsewhere = [
            "entry-point", "application-type", "python-home", "free-threading", "user", "group", "skip-check", "port",
            "ssl-certificate", "https-only", "hsts-policy", "log-to-terminal", "rotatelogs-executable", "service-user",
            "service-group", "server-root", "httpd-executable", "modules-directory", "setup-only", "version", "help",
        ];
        let help = said(&run(path, &["start-server", "--help"]));
        for line in help.lines().filter_map(|line| line.trim().strip_prefix("--")) {
            let name = line.split_whitespace().next().unwrap();
            let option = format!("--{name}");
            let is_known = arguments.contains(&option.as_str()) || embedded.contains(&option.as_str());
            assert!(is_known || elsewhere.contains(&name), "{option} is not tried");
        }
    }

    fn start_server_needs_no_root() {
        needs_command!();
        needs_root!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", "import os\ndef application(environ, start_response):\n    \
            start_response('200 OK', [])\n    return [str(os.getuid()).encode()]\n");
        rundir::mode(folder.path(), 0o777);
        let program = command::program();
        let user = crate::support::conf::user();
        let words = ["/usr/bin/setpriv", "--reuid", user, "--regid", &crate::support::conf::group(), "--clear-groups",
            "--", program.to_str().unwrap(), "start-server"];
        let served = Served::by(folder.path(), &words, &[&script, "--request-timeout", "90"]);
        assert_eq!(served.get("/").ok(), rundir::output_of("id", &["-u", user]));
        assert!(served.output().contains("warning: WSGI1045"), "{}", served.output());
    }

    fn start_server_takes_a_paste_configuration() {
        needs_command!();
        let Some(venv) = rundir::venv() else {
            crate::support::original::skipped("needs WSGI_TEST_VENV");
            return;
        };
        let folder = folder();
        write(folder.path(), "shop.py", "def factory(config, text):\n    def application(environ, start_response):\n        \
            start_response('200 OK', [])\n        return [text.encode()]\n    return application\n");
        write(folder.path(), "shop.ini", "[app:main]\npaste.app_factory = shop:factory\ntext = from paste\n");
        let home = venv.to_str().unwrap();
        let served = Served::start(folder.path(), &["shop.ini", "--application-type", "paste", "--python-home", home]);
        assert_eq!(served.get("/").ok(), "from paste");
    }

    fn setup_server_writes_what_apachectl_starts() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", HELLO);
        let port = ports::take();
        let (number, root) = (port.number.to_string(), folder.path().join("the root"));
        let mut arguments = vec!["setup-server", &script, "--port", &number, "--host", "127.0.0.1"];
        arguments.extend(["--server-root", root.to_str().unwrap()]);
        arguments.extend(command::identity());
        let text = said(&run(folder.path(), &arguments));
        assert!(text.contains(root.join("apachectl").to_str().unwrap()), "{text}");
        fs::write(root.join("envvars"), "export GREETING=hi\n").unwrap();
        said(&run(folder.path(), &arguments));
        assert_eq!(fs::read_to_string(root.join("envvars")).unwrap(), "export GREETING=hi\n");
        let control = |word: &str| {
            let done = std::process::Command::new(root.join("apachectl")).arg(word).output().unwrap();
            assert!(done.status.success(), "{word}: {}", String::from_utf8_lossy(&done.stderr));
        };
        control("configtest");
        control("start");
        let pid = poll("httpd", || fs::read_to_string(root.join("httpd.pid")).ok()?.trim().parse().ok());
        let tree = process::tree(pid);
        let mut connection = crate::support::Connection::open(port.number);
        connection.request("GET", "/x", &[("Host", "x"), ("Connection", "close")], b"");
        assert_eq!(connection.response().ok(), "hello from |/x");
        control("graceful");
        control("stop");
        poll("its end", || tree.iter().all(|one| !one.is_alive()).then_some(()));
        assert_eq!(process::users_of(&root), []);
    }

    fn module_config_and_location_name_the_module_and_install_copies_it() {
        needs_command!();
        let folder = folder();
        let location = said(&run(folder.path(), &["module-location"]));
        assert_eq!(Path::new(location.trim()), rundir::run().module);
        let text = said(&run(folder.path(), &["module-config", "--python-home", "/srv/venv"]));
        assert_eq!(text, format!(
            "LoadModule wsgi_module \"{}\"\nWSGIPythonHome \"/srv/venv\"\n", location.trim()));
        fs::create_dir(folder.path().join("modules")).unwrap();
        let modules = folder.path().join("modules");
        let target = ["--modules-directory", modules.to_str().unwrap()];
        let text = said(&run(folder.path(), &["install", target[0], target[1]]));
        assert!(text.contains("LoadModule wsgi_module"), "{text}");
        assert!(modules.join("mod_wsgi_rs/mod-wsgi-rs").exists());
        said(&run(folder.path(), &["uninstall", target[0], target[1]]));
        assert_eq!(fs::read_dir(&modules).unwrap().count(), 0);
    }
}

const SLOW: &str = "
import os, time
def application(environ, start_response):
    start_response('200 OK', [])
    if environ['PATH_INFO'].startswith('/slow'):
        while not os.path.exists('gate'):
            time.sleep(0.01)
    return [str(os.getpid()).encode()]
";

one! {
    fn a_running_server_is_asked_and_told() {
        needs_command!();
        let folder = folder();
        let script = write(folder.path(), "app.wsgi", SLOW);
        let served = Served::start(folder.path(), &[&script, "--process-group", "shop"]);
        let root = served.root().to_str().unwrap();
        let first = served.get("/").ok();
        let ask = |words: &[&str]| {
            let words: Vec<&str> = words.iter().copied().chain(["--server-root", root]).collect();
            run(folder.path(), &words)
        };
        let mut slow = crate::support::Connection::open(served.port());
        slow.request("GET", "/slow%1b[2J", &[("Connection", "close")], b"");
        let text = poll("the request", || Some(said(&ask(&["status"]))).filter(|text| text.contains("/slow")));
        assert!(text.starts_with("shop  serving  1 of 1 processes, 5 threads each, 0 waiting"), "{text}");
        assert!(text.contains(&first) && text.contains("GET /slow") && !text.contains('\x1b'), "{text}");
        assert!(said(&ask(&["status", "shop", "--json"])).contains("\"answer\": \"groups\""));
        assert!(command::refused(&ask(&["status", "other"])).contains("no process group \"other\""));
        let text = poll("the stack", || Some(said(&ask(&["dump"]))).filter(|text| text.contains("in application")));
        assert!(text.contains(&format!("shop process {first} thread ")), "{text}");
        write(folder.path(), "gate", "");
        assert_eq!(slow.response().ok(), first);
        said(&ask(&["reload", "shop"]));
        poll("another process", || (served.get("/").ok() != first).then_some(()));
        said(&ask(&["drain", "shop"]));
        // Its process may take one more request before it hears of it.
        poll("nothing to be served", || (served.get("/").status() == 503).then_some(()));
        assert!(said(&ask(&["status"])).contains("shop  drained"));
        assert!(command::refused(&ask(&["drain", "other"])).contains("the server refuses"));
        said(&ask(&["reload"]));
        poll("it to serve again", || (served.get("/").status() == 200).then_some(()));
        drop(served.expect("drained by an operator"));
        let text = command::refused(&run(folder.path(), &["status", "--port", "1"]));
        assert!(text.contains("--server-root"), "{text}");
    }
}
