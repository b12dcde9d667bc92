//! `sqlx::migrate!` embeds the files of `migrations/` but does not notice a new one by itself.

#[expect(clippy::print_stdout, reason = "this is how a build script speaks to cargo")]
fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
