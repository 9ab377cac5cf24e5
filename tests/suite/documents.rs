//! The commands of `docs/`, carried out word by word in a copy of this machine's file system with a
//! network of its own, where ports and paths are as the pages have them. What cannot be run there has
//! its reason on the page: `<!-- not run: … -->` above the block. `quickstart` does the same for its
//! page, which needs libraries that a venv would fetch.

use crate::installed::Debian;
use crate::support::page::{self, Block};
use crate::support::{System, original, rundir};

/// The sections with commands: page, title, whose shell, and what is there before, as root.
const SECTIONS: &[(&str, &str, &str, &str)] = &[
    ("install.md", "A wheel", "www-data", CLONE),
    ("install.md", "A Debian package", "root", "apache2ctl start"),
    ("install.md", "From source", "root", ""),
    ("install.md", "Loading it", "root", "
        echo '# of mod_wsgi' >/etc/apache2/mods-available/wsgi.load
        a2enmod --quiet wsgi
        apache2ctl start"),
    ("install.md", "Updating and removing", "root", ""),
    ("migrating.md", "Swap the line", "root", "
        (cd /srv/clone && cargo xtask install)
        echo '# of mod_wsgi' >/etc/apache2/mods-available/wsgi.load
        a2enmod --quiet wsgi"),
    ("running.md", "Serving", "www-data", APPLICATIONS),
    ("running.md", "Talking to a running server", "www-data", "
        export PATH=$PATH TMPDIR=/tmp
        runuser -u www-data -- mod-wsgi-rs start-server app.wsgi --process-group shop >/dev/null 2>&1 &
        until curl --silent --output /dev/null http://localhost:8000/; do sleep 0.1; done"),
    ("running.md", "As root", "root", "
        runuser -u www-data -- sh -c 'kill $(cat /tmp/mod_wsgi_rs-*/httpd.pid)'
        openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 \\
            -keyout site.key -out site.crt 2>/dev/null"),
    ("running.md", "Behind a proxy", "www-data", ""),
    ("running.md", "Checking", "root", "
        mkdir -p /run/apache2 # which booting does
        printf '#!/bin/sh\\nexec apache2ctl \"$@\"\\n' >/usr/local/sbin/httpd
        chmod 755 /usr/local/sbin/httpd
        mkdir -p /srv/site
        cp /etc/apache2/apache2.conf /srv/site/httpd.conf
        sed -i 's/^#ServerRoot.*/ServerRoot \"\\/etc\\/apache2\"/' /srv/site/httpd.conf
        sed -i 's/\\${APACHE_RUN_DIR}/\\/run\\/apache2/; s/\\${APACHE_PID_FILE}/\\/run\\/apache2.pid/;
            s/\\${APACHE_RUN_USER}/www-data/; s/\\${APACHE_RUN_GROUP}/www-data/;
            s/\\${APACHE_LOG_DIR}/\\/var\\/log\\/apache2/' /srv/site/httpd.conf
        sed -i 's/\\${APACHE_LOG_DIR}/\\/var\\/log\\/apache2/' /etc/apache2/conf-enabled/*.conf"),
];

/// A clone in which the user may work.
const CLONE: &str = "chown -R www-data: /srv/clone";

/// Something of each kind that can be served.
const APPLICATIONS: &str = "
    mkdir shop site
    touch shop/__init__.py
    echo page >site/index.html
    echo 'from django.core.wsgi import get_wsgi_application' >shop/wsgi.py
    echo 'application = get_wsgi_application()' >>shop/wsgi.py
    printf '%s\\n' \"SECRET_KEY = 'x'\" \"ALLOWED_HOSTS = ['*']\" \"ROOT_URLCONF = 'shop.urls'\" \\
        \"WSGI_APPLICATION = 'shop.wsgi.application'\" >shop/settings.py
    printf '%s\\n' 'from django.http import HttpResponse' 'from django.urls import path' \\
        \"urlpatterns = [path('', lambda request: HttpResponse('shop'))]\" >shop/urls.py
    printf '%s\\n' 'import os, sys' \"os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'\" \\
        'from django.core.management import execute_from_command_line as run' 'run(sys.argv)' >manage.py
    echo \"import os; os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\" |
        cat - shop/wsgi.py >new && mv new shop/wsgi.py
    chown -R www-data: .";

/// Stands for cargo: packages have been built outside; installing is done with what has been built.
fn cargo() -> String {
    let repository = super::first_run::repository().display().to_string();
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or(format!("{repository}/target"));
    format!(
        "#!/bin/sh\ncase \"$2\" in\nwheel) ls target/packages/*.whl ;;\ndeb) ls target/packages/*.deb ;;\n\
         install) shift; CARGO_MANIFEST_DIR='{repository}/xtask' exec '{target}/debug/xtask' \"$@\" --no-build ;;\n\
         uninstall) shift; CARGO_MANIFEST_DIR='{repository}/xtask' exec '{target}/debug/xtask' \"$@\" ;;\n\
         *) echo \"$*?\" >&2; exit 1 ;;\nesac\n"
    )
}

/// Programs that stand for those that a copy cannot have.
fn stand_ins(system: &System) {
    let sudo = "#!/bin/sh\nexec \"$@\"\n";
    let systemctl =
        "#!/bin/sh\ntest \"$*\" = 'restart apache2' && exec apache2ctl restart\nexit 1\n";
    for (name, text) in [("cargo", cargo().as_str()), ("sudo", sudo), ("systemctl", systemctl)] {
        system.write(&format!("/usr/local/bin/{name}"), text);
        system.said(&format!("chmod 755 /usr/local/bin/{name}"));
    }
}

/// A copy with what the sections of a page expect.
fn machine() -> Result<Debian, String> {
    let debian = Debian::new()?;
    let system = &debian.system;
    stand_ins(system);
    for (kind, end) in [("wheel", ".whl"), ("deb", ".deb")] {
        let file = super::first_run::built(kind, end);
        let name = file.file_name().expect("name").display().to_string();
        system.take(&file, &format!("/srv/clone/target/packages/{name}"));
    }
    system.write("/srv/clone/app.wsgi", include_str!("../apps/hello.py"));
    Ok(debian)
}

/// The lines of a block as a shell takes them, those that a backslash continues as one.
fn lines(block: &Block) -> Vec<String> {
    let joined = block.text.replace("\\\n", " ");
    joined.lines().map(str::to_owned).collect()
}

/// Runs a line in the clone as a user.
#[track_caller]
fn run(system: &System, user: &str, line: &str) -> String {
    let mut command = system.shell("cd /srv/clone && exec runuser -u \"$0\" -- sh -ec \"$1\" 2>&1");
    let output = command.args([user, line]).output().expect("nsenter");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{line}\n{text}");
    text
}

/// Runs a line that serves until it answers, and ends it.
#[track_caller]
fn serve(system: &System, user: &str, line: &str) {
    let port = if line.contains("--port 80 ") { 80 } else { 8000 };
    let mut command = system.shell("cd /srv/clone && exec runuser -u \"$0\" -- sh -c \"exec $1\"");
    command.args([user, line]);
    let server = system.serve(command, port);
    let expected = if line.contains("--https-only") { "\n301" } else { "\n200" };
    assert!(server.answer.ends_with(expected), "{line}\n{}", server.answer);
    assert_eq!(server.stop(), Some(0), "{line}");
}

/// Carries out the sections of a page.
fn carry_out(page: &str, titles: &[&str], debian: &Debian) {
    let system = &debian.system;
    for (_, title, user, before) in
        SECTIONS.iter().filter(|one| one.0 == page && titles.contains(&one.1))
    {
        let before = before.replace("\n        ", "\n");
        run(system, "root", &before);
        let mut said = String::new();
        for block in page::section_of(page, title).blocks {
            match block.kind.as_str() {
                "sh" if block.excuse.is_none() => {
                    for line in lines(&block) {
                        if line.contains("start-server") {
                            serve(system, user, &line);
                        } else {
                            said = run(system, user, &line);
                        }
                    }
                }
                "text" if block.excuse.is_none() => {
                    assert!(said.contains(block.text.trim_end()), "{said}\nis not {}", block.text);
                }
                _ => (),
            }
        }
    }
}

/// The machine, or the end of the test, by name.
macro_rules! machine {
    () => {
        match machine() {
            Ok(machine) => machine,
            Err(why) => return original::skipped(&why),
        }
    };
}

one! {
    fn every_command_of_a_page_is_run_or_says_why_not() {
        let mut wrong = Vec::new();
        for name in page::names() {
            for section in page::sections(&name) {
                let place = format!("{name}, {}", section.title);
                wrong.extend(section.indented.iter().map(|line| format!("{place}: a block without a language: {line}")));
                for block in section.blocks {
                    let is_run = name == "quickstart.md"
                        || SECTIONS.iter().any(|one| one.0 == name && one.1 == section.title);
                    let is_command = ["sh", "console", "bash"].contains(&block.kind.as_str());
                    if block.kind.is_empty() || is_command && !is_run && block.excuse.is_none() {
                        wrong.push(format!("{place}: nothing runs {}", block.text));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        for (name, title, ..) in SECTIONS {
            assert!(page::section_of(name, title).blocks.iter().any(|block| block.kind == "sh"), "{name}, {title}");
        }
    }

    fn installing_packages() {
        needs_xtask!();
        carry_out("install.md", &["A wheel", "A Debian package"], &machine!());
    }

    fn installing_from_source_and_changing_over() {
        needs_xtask!();
        let machine = machine!();
        carry_out("install.md", &["From source", "Loading it", "Updating and removing"], &machine);
        machine.system.said("a2dismod --quiet wsgi || true; apache2ctl restart");
        carry_out("migrating.md", &["Swap the line"], &machine);
    }

    fn running_applications() {
        needs_xtask!();
        let Some(venv) = rundir::venv().filter(|_| rundir::lacks(&["django"]).is_none()) else {
            return original::skipped("needs a venv with Django");
        };
        let machine = machine!();
        machine.install();
        let source = std::env::var("WSGI_TEST_VENV").unwrap_or(venv.display().to_string());
        machine.system.said(&format!("for folder in '{source}'/lib/python*/site-packages; do \
            cp -r \"$folder\"/django \"$folder\"/asgiref \"$folder\"/sqlparse /usr/lib/python3/dist-packages; done"));
        let titles: Vec<&str> = SECTIONS.iter().filter(|one| one.0 == "running.md").map(|one| one.1).collect();
        carry_out("running.md", &titles, &machine);
    }
}
