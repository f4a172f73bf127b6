//! `yomitori-truth`: how often the fold is right about histories of which the truth is known. See `truth/cli.rs`.

fn main() -> anyhow::Result<()> {
    yomitori_tests::truth::cli::main()
}
