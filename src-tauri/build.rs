//! Build script of the desktop shell.

fn main() {
    let manifest = tauri_build::AppManifest::new().permissions_path_pattern("src-tauri/permissions/*.toml");
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(manifest)) {
        // `cargo::error` fails the build with this text and without a backtrace.
        println!("cargo::error={error:#}");
    }
}
