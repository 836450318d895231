//! The `elenchus` program: arguments to the library, and its exit code back.

fn main() -> std::process::ExitCode {
    elenchus::cli::main()
}
