//! The Debian package as dpkg installs, updates, removes and purges it, beside Debian's own httpd
//! that is running: in a copy of the file system, from which nothing reaches the machine.

use std::path::Path;

use super::first_run::built;
use crate::support::{System, poll};

/// Says who runs it.
const APPLICATION: &str = "\
import mod_wsgi, os, pwd
def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [f'{mod_wsgi.process_group} {pwd.getpwuid(os.getuid()).pw_name}'.encode()]
";

/// A site that is there with the module only.
const SITE: &str = "\
<IfModule wsgi_module>
    WSGIDaemonProcess shop processes=1 threads=2
    WSGIScriptAlias / /srv/shop/app.wsgi process-group=shop application-group=%{GLOBAL}
    <Directory /srv/shop>
        Require all granted
    </Directory>
</IfModule>
";

/// The package.
const NAME: &str = "libapache2-mod-wsgi-rs";

/// Debian's httpd with a site, in a copy of the file system.
pub struct Debian {
    pub system: System,
}

impl Debian {
    /// Makes one in which httpd does not run yet, or says what is missing for it.
    pub fn new() -> Result<Debian, String> {
        if !Path::new("/usr/bin/dpkg-shlibdeps").exists() {
            return Err("needs dpkg-dev".to_owned());
        }
        let system = System::new()?;
        if !system.succeeds("command -v a2enmod") {
            let folder = std::env::var("WSGI_TEST_DEBIAN").map_err(|_| "needs WSGI_TEST_DEBIAN")?;
            for file in std::fs::read_dir(folder).expect("packages").flatten() {
                system.take(&file.path(), &format!("/packages/{}", file.file_name().display()));
            }
            system.said("dpkg --install /packages/*.deb");
        }
        system.said("rm -f /etc/apache2/sites-enabled/*");
        system.write("/etc/apache2/sites-enabled/shop.conf", SITE);
        system.write("/etc/apache2/conf-enabled/name.conf", "ServerName localhost\n");
        system.write("/srv/shop/app.wsgi", APPLICATION);
        Ok(Debian { system })
    }

    /// Installs the package that `xtask` has built.
    #[track_caller]
    pub fn install(&self) -> String {
        self.system.take(&built("deb", ".deb"), "/packages/ours.deb");
        self.system.said("dpkg --install /packages/ours.deb")
    }

    /// The site's page; what it ends with is its status.
    #[track_caller]
    fn get(&self) -> String {
        self.system.said("curl --silent --show-error --write-out ' %{http_code}' http://localhost/")
    }

    /// httpd and its children, which no others take the place of unless it is restarted.
    fn processes(&self) -> String {
        let line = "cd /proc; for p in [0-9]*; do \
            test \"$(readlink $p/exe)\" != /usr/sbin/apache2 || cut -d' ' -f1,22 $p/stat; done";
        self.system.said(line)
    }

    /// Stops httpd and waits for its end.
    fn stop(&self) {
        self.system.said("apache2ctl stop");
        poll("httpd to end", || self.processes().is_empty().then_some(()));
    }

    /// Whether the module is in httpd's memory.
    fn is_loaded(&self) -> bool {
        self.system.succeeds("grep -q mod_wsgi_rs /proc/$(cat /run/apache2/apache2.pid)/maps")
    }

    /// All files but those in which dpkg and httpd take notes, and the folder that a2dismod makes for
    /// its own.
    fn files(&self) -> Vec<String> {
        let line = "find /etc /opt /srv /usr /var -xdev \\( -path /var/lib/dpkg -o -path /var/log \
            -o -path /var/cache \\) -prune -o ! -path '*/module/disabled_by_maint' -print | sort";
        self.system.said(line).lines().map(str::to_owned).collect()
    }
}

/// What is in the first only.
fn only_in<'a>(one: &'a [String], other: &[String]) -> Vec<&'a String> {
    one.iter().filter(|line| other.binary_search(line).is_err()).collect()
}

/// Ends a test, by name, where it cannot have such a server.
macro_rules! debian {
    () => {
        match $crate::installed::Debian::new() {
            Ok(debian) => debian,
            Err(why) => return $crate::support::original::skipped(&why),
        }
    };
}

one! {
    fn dpkg_installs_updates_removes_and_purges_the_package() {
        needs_xtask!();
        let debian = debian!();
        let system = &debian.system;
        system.said("apache2ctl start");
        let before = debian.files();
        let httpd = debian.processes();
        assert!(debian.get().contains("Apache2 Debian"), "httpd's own page");

        let text = debian.install();
        assert!(text.contains("wsgi_rs is enabled; restart apache2 when it suits you."), "{text}");
        assert_eq!(debian.processes(), httpd, "httpd was restarted");
        assert!(!debian.is_loaded());
        let enabled = "cd /etc/apache2/mods-enabled && ls wsgi_rs.*";
        assert_eq!(system.said(enabled), "wsgi_rs.conf\nwsgi_rs.load");
        assert_eq!(system.said(&format!("dpkg-query -W -f '${{Status}}' {NAME}")), "install ok installed");
        assert_eq!(system.said(&format!("dpkg --verify {NAME}")), "");
        assert_eq!(system.said("apache2ctl configtest"), "Syntax OK");
        let check = system.said("mod-wsgi-rs check");
        assert!(check.contains("check ok: / /srv/shop/app.wsgi (process group shop"), "{check}");

        system.said("apache2ctl restart");
        assert_eq!(debian.get(), "shop www-data 200");
        let status = system.said("mod-wsgi-rs status");
        assert!(status.contains("shop  serving  1 of 1 processes"), "{status}");
        system.said("python3 -c 'import mod_wsgi_rs.django'");

        // An update keeps what the administrator has changed, and httpd serves on.
        system.said("echo '# ours' >>/etc/apache2/mods-available/wsgi_rs.conf");
        let httpd = debian.processes();
        debian.install();
        assert_eq!(debian.processes(), httpd, "httpd was restarted");
        assert_eq!(system.said("tail -n 1 /etc/apache2/mods-available/wsgi_rs.conf"), "# ours");
        assert_eq!(debian.get(), "shop www-data 200");

        let text = system.said(&format!("dpkg --remove {NAME}"));
        assert!(text.contains("wsgi_rs is disabled"), "{text}");
        assert_eq!(debian.processes(), httpd, "httpd was restarted");
        assert_eq!(debian.get(), "shop www-data 200");
        assert_eq!(system.said("apache2ctl configtest"), "Syntax OK");
        // Restarted, httpd keeps what it has loaded, unused; started anew it knows nothing of it.
        system.said("apache2ctl restart");
        assert!(debian.get().contains("Apache2 Debian"));
        debian.stop();
        system.said("apache2ctl start");
        assert!(!debian.is_loaded());
        assert!(debian.get().contains("Apache2 Debian"), "httpd's own page");
        debian.stop();
        assert!(system.said("ls /etc/apache2/mods-available").contains("wsgi_rs.conf"));

        system.said(&format!("dpkg --purge {NAME}"));
        let after = debian.files();
        assert_eq!(only_in(&after, &before), Vec::<&String>::new(), "left");
        assert_eq!(only_in(&before, &after), Vec::<&String>::new(), "gone");
    }

    fn a_copy_of_the_file_system_leaves_nothing() {
        needs_xtask!();
        let system = match System::new() {
            Ok(system) => system,
            Err(why) => return crate::support::original::skipped(&why),
        };
        let file = format!("/etc/mod_wsgi_rs-{}", std::process::id());
        system.write(&file, "text");
        assert_eq!(system.said(&format!("cat {file}")), "text");
        assert!(!Path::new(&file).exists());
        let mut sleeper = system.shell("sleep 600").spawn().unwrap();
        let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let folder = system.folder().display().to_string();
        assert!(!mounts().contains(&folder));
        drop(system);
        assert!(!sleeper.wait().unwrap().success(), "it ends with the copy");
        assert!(!mounts().contains(&folder) && !Path::new(&folder).exists());
    }
}
