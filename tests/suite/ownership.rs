//! Who must own a script and its directory: `script-user` and `script-group`.

use std::os::unix::fs::{PermissionsExt, chown};

use crate::support::{Httpd, rundir};

/// An id that no user and no group has.
const NOBODYS: u32 = 54_321;

/// A user that is not httpd's, and a group of its own.
const OWNER: &str = "daemon";

/// A server whose script and its directory are the owner's, and nobody else's to write.
struct Site {
    server: Httpd,
    ids: (u32, u32),
}

impl Site {
    fn start(options: &str) -> Site {
        let server = Httpd::with(&format!(
            "WSGIDaemonProcess app threads=1 {options}\nWSGIProcessGroup app\n\
             WSGIScriptAlias / @root@/site/app.py"
        ))
        .file(
            "site/app.py",
            "def application(environ, start_response):\n    \
                              start_response('200 OK', [])\n    return [b'ran']\n",
        )
        .start();
        let id = |option: &str| {
            rundir::output_of("id", &[option, OWNER]).parse().expect("the number of an id")
        };
        let site = Site { server, ids: (id("-u"), id("-g")) };
        site.reset();
        site
    }

    fn reset(&self) {
        let (uid, gid) = self.ids;
        for name in ["site", "site/app.py"] {
            self.own(name, uid, gid);
        }
        self.mode("site", 0o755);
        self.mode("site/app.py", 0o644);
    }

    fn own(&self, name: &str, uid: u32, gid: u32) {
        chown(self.server.path(name), Some(uid), Some(gid)).expect("chown");
    }

    fn mode(&self, name: &str, bits: u32) {
        let permissions = std::fs::Permissions::from_mode(bits);
        std::fs::set_permissions(self.server.path(name), permissions).expect("chmod");
    }

    #[track_caller]
    fn runs(&self) {
        assert_eq!(self.server.get("/").ok(), "ran");
        self.reset();
    }

    /// The script is refused with a record of this number, and runs again when all is well.
    #[track_caller]
    fn refused(&self, record: &str) {
        self.server.expect_log(record);
        let response = self.server.get("/");
        assert_eq!(response.status(), 403, "{record}");
        assert!(!response.text().contains("ran"));
        self.server.wait_for_log(record);
        self.reset();
        self.runs();
    }
}

one! {
    fn a_script_runs_only_when_its_user_owns_it_and_writes_alone() {
        needs_root!();
        let site = Site::start("script-user=daemon");
        let (uid, gid) = site.ids;
        site.runs();
        site.own("site/app.py", 0, gid);
        site.refused("WSGI0164");
        site.mode("site/app.py", 0o664);
        site.refused("WSGI0166");
        site.mode("site/app.py", 0o646);
        site.refused("WSGI0168");
        // The group is nobody's business as long as it may not write.
        site.own("site/app.py", uid, NOBODYS);
        site.runs();
    }

    fn the_directory_of_a_script_counts_as_the_script_does() {
        needs_root!();
        let site = Site::start("script-user=daemon");
        let (_, gid) = site.ids;
        site.own("site", 0, gid);
        site.refused("WSGI0171");
        site.mode("site", 0o757);
        site.refused("WSGI0172");
        site.mode("site", 0o775);
        site.refused("WSGI0173");
    }

    fn a_script_of_a_group_may_be_written_by_its_members() {
        needs_root!();
        let site = Site::start("script-group=daemon");
        let (uid, gid) = site.ids;
        site.mode("site/app.py", 0o664);
        site.mode("site", 0o775);
        site.runs();
        site.own("site/app.py", 0, gid);
        site.own("site", 0, gid);
        site.runs();
        site.own("site/app.py", uid, 0);
        site.refused("WSGI0155");
        site.mode("site/app.py", 0o646);
        site.refused("WSGI0157");
        site.own("site", uid, 0);
        site.refused("WSGI0160");
        site.mode("site", 0o757);
        site.refused("WSGI0161");
    }

    fn an_owner_without_a_name_is_another_one() {
        needs_root!();
        let site = Site::start("script-user=#1");
        let (_, gid) = site.ids;
        site.own("site/app.py", NOBODYS, gid);
        // The original has a number of its own for an owner that it cannot name.
        site.refused(if crate::support::original::is_original() { "WSGI0163" } else { "WSGI0164" });
    }

    fn the_record_says_which_script_and_whose_it_is() {
        ours!("it names the owner, and neither script nor URL");
        needs_root!();
        let site = Site::start("script-user=daemon");
        site.own("site/app.py", NOBODYS, 0);
        site.refused("WSGI0164");
        let line = site.server.wait_for_log("WSGI0164").line;
        let script = site.server.path("site/app.py").display().to_string();
        for part in [&script, "URL '/'", "uid 54321", "'app'"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    fn user_and_group_exclude_each_other() {
        for options in ["script-user=root script-group=root", "script-group=root script-user=root"] {
            let said = Httpd::refuses(&format!("WSGIDaemonProcess app {options}"));
            assert!(said.contains("Only one of script-user and script-group allowed."), "{said}");
        }
    }
}
