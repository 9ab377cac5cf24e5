//! Binds httpd's headers with bindgen and compiles the shim for what bindgen cannot see.
//!
//! `APXS` names the apxs program (default: `apxs`); it knows where the headers are.

use std::{env, error::Error, path::PathBuf, process::Command};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=apache-headers");
    println!("cargo::rerun-if-env-changed=APXS");
    // Statics and thread-locals must stay where they are when httpd unloads and reloads modules
    // at a restart: without it a thread-local with a destructor decides by chance.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");

    let flags = header_flags()?;
    compile_shim(&flags);
    bind_headers(&flags)
}

/// Preprocessor flags of httpd, APR and APR-util.
fn header_flags() -> Result<Vec<String>, Box<dyn Error>> {
    let apxs = env::var("APXS").unwrap_or_else(|_| "apxs".into());
    let query = |name: &str| run(&apxs, &["-q", name]);
    let mut flags = vec![format!("-I{}", query("INCLUDEDIR")?)];
    for (config, options) in
        [("APR_CONFIG", &["--includes", "--cppflags"][..]), ("APU_CONFIG", &["--includes"])]
    {
        let program = query(config)?;
        flags.extend(run(&program, options)?.split_whitespace().map(String::from));
    }
    Ok(flags)
}

fn run(program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error} (Debian: apt-get install apache2-dev)"))?;
    if !output.status.success() {
        return Err(format!("{program} {} failed", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn compile_shim(flags: &[String]) {
    let mut build = cc::Build::new();
    build.file("apache-headers/shim.c").warnings(true).extra_warnings(true);
    for flag in flags {
        build.flag(flag);
    }
    build.compile("wsgi_shim");
}

fn bind_headers(flags: &[String]) -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?).join("bindings.rs");
    bindgen::Builder::default()
        .header("apache-headers/wrapper.h")
        .clang_args(flags)
        .allowlist_function("(ap|apr|wsgi_shim)_.*")
        .allowlist_type("(ap|apr|authn|authz)_.*|module|command_rec|cmd_parms|request_rec|conn_rec|server_rec")
        .allowlist_var("(AP|APR|APLOG|AUTHN|AUTHZ|SATISFY|MODULE|HTTP|OR|ENABLE_MMAP|RSRC|SERVER_BUSY|ACCESS|EXEC|SUSPENDED|DECLINED|DONE|OK|OPT|M|REQUEST|WSGI_SHIM|NOT_IN)_.*|GLOBAL_ONLY|REMOTE_HOST|OK|DECLINED|DONE|ap_server_conf|ap_unixd_config|ap_conftree|ap_pid_fname|ap_coredumpdir_configured")
        .opaque_type("apr_sockaddr_t__bindgen.*")
        .blocklist_function(".*_va?l?ist.*|apr_(v|pv).*|ap_vr.*")
        .derive_default(false)
        .derive_debug(false)
        .generate_comments(false)
        .generate()?
        .write_to_file(out)?;
    Ok(())
}
