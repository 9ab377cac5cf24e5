//! Tells the sources which CPython they are compiled for.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
    // Tests of a Python outside the linker's search path find its library all the same.
    pyo3_build_config::add_libpython_rpath_link_args();
    if let Some(executable) = pyo3_build_config::get().executable() {
        println!("cargo:rustc-env=WSGI_PYTHON_EXECUTABLE={executable}");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
