//! `sqlx::migrate!` embeds the files of `migrations/` but does not notice a new one by itself.

fn main() {
    println!("cargo::rerun-if-changed=migrations");
}
