//! What resolving looks at, and the groups that come of it.

use std::{cell::RefCell, collections::HashMap, sync::OnceLock};

use wsgi_core::{
    control::Identity,
    directives::{
        Account, GlobalConfig, PythonVersion, Reader, check_python_home,
        daemon::{DaemonGroup, DaemonProcess, Defaults},
    },
};

use super::{Group, Installation, accounts};
use crate::{
    apache::{Server, module::MainState, mpm, process},
    facts::HttpdFacts,
};

/// What resolving looks at.
pub(super) struct Surroundings<'c> {
    main: &'c MainState,
    server: Server<'c>,
    pub(super) typed: &'c GlobalConfig,
    pub(super) installation: Installation,
    /// Whom httpd's children run as.
    own: Account,
    /// The groups of accounts that were asked for.
    memberships: RefCell<HashMap<(String, u32), Vec<u32>>>,
}

impl<'c> Surroundings<'c> {
    /// Those of this configuration.
    pub(super) fn new(
        main: &'c MainState,
        server: Server<'c>,
        typed: &'c GlobalConfig,
    ) -> Result<Self, String> {
        let (installation, own) = (Installation::find()?, accounts::own());
        Ok(Self { main, server, typed, installation, own, memberships: RefCell::default() })
    }

    /// Whom httpd's children run as.
    pub(super) fn children(&self) -> Identity {
        let groups = self.groups_of(&self.own);
        Identity { uid: self.own.uid, gid: self.own.gid, groups }
    }

    /// All groups of an account; asked once each, because a look into a system's user database may
    /// take half a millisecond, or the time of a server in the network.
    fn groups_of(&self, account: &Account) -> Vec<u32> {
        let key = (account.name.clone(), account.gid);
        let mut memberships = self.memberships.borrow_mut();
        memberships.entry(key).or_insert_with(|| accounts::groups_of(account)).clone()
    }

    /// The groups that the processes of a daemon group have.
    pub(super) fn groups_of_group(&self, group: &DaemonGroup, account: &Account) -> Vec<u32> {
        group.supplementary_groups.clone().unwrap_or_else(|| self.groups_of(account))
    }

    /// The Python version of embedded applications.
    pub(super) fn embedded_python(&self) -> Result<PythonVersion, String> {
        self.python(self.typed.python_home.as_deref(), &self.own, None, "WSGIPythonHome")
    }

    /// The Python version of a home, checked for the user who will use it.
    fn python(
        &self,
        home: Option<&str>,
        account: &Account,
        root: Option<&str>,
        directive: &str,
    ) -> Result<PythonVersion, String> {
        let Some(home) = home else { return self.installation.newest() };
        let facts = HttpdFacts::new(self.main, self.server).below(root);
        let groups = self.groups_of(account);
        let reader = Reader { uid: account.uid, gids: &groups };
        check_python_home(home, reader, &self.installation.versions, &facts)
            .map_err(|why| format!("{directive}: {why}"))
    }

    /// A group as it runs, and the version of its Python.
    pub(super) fn group(
        &self,
        process: &DaemonProcess,
        number: u32,
    ) -> Result<(Group, PythonVersion), String> {
        let context =
            format!("WSGIDaemonProcess {} ({}:{})", process.name, process.file, process.line);
        let home = self.main.server(process.server).unwrap_or(self.server);
        let defaults = Defaults {
            is_root: process::is_root(),
            account: &self.own,
            timeout: home.timeout(),
            python_home: self.typed.python_home.as_deref(),
        };
        let definition =
            process.resolve(number, &defaults).map_err(|why| format!("{context}: {why}"))?;
        let account = Account {
            name: definition.user.clone(),
            uid: definition.uid,
            gid: definition.gid,
            home: definition.user_home.clone(),
        };
        self.check_directories(&definition, &account).map_err(|why| format!("{context}: {why}"))?;
        let python = self.python(
            definition.python_home.as_deref(),
            &account,
            definition.chroot.as_deref(),
            &format!("{context}: python-home"),
        )?;
        let spec = self.group_spec(&definition, &account, python, home);
        let keeps_connections = mpm::threads() > 1;
        Ok((Group { definition, spec, keeps_connections, link: OnceLock::new() }, python))
    }

    /// What would keep the group from starting and can be known now.
    fn check_directories(&self, group: &DaemonGroup, account: &Account) -> Result<(), String> {
        let groups = self.groups_of_group(group, account);
        let reader = Reader { uid: account.uid, gids: &groups };
        let facts = || HttpdFacts::new(self.main, self.server);
        if let Some(root) = &group.chroot {
            reader.check_entry(root, &facts()).map_err(|why| {
                format!("Invalid chroot directory for WSGI daemon process. chroot={root}: {why}")
            })?;
        }
        if let Some(home) = &group.home {
            let facts = facts().below(group.chroot.as_deref());
            reader.check_directory(home, &facts).map_err(|why| {
                format!("Invalid home directory for WSGI daemon process. home={home}: {why}")
            })?;
        }
        Ok(())
    }
}
