//! What applications return: lists, generators, the wrong things; `write` and `close`.

use wsgi_core::exchange::{Outcome, Pace};

use crate::support::{Call, Script};

const START: &str = "def application(e, s):\n    s('200 OK', [])\n";

fn returning(expression: &str) -> Script {
    Script::new(&format!("{START}    return {expression}\n"))
}

#[test]
fn lists_go_out_together_and_generators_piece_by_piece() {
    let answer = returning("[b'a', b'', b'b']").get();
    answer.assert_text("ab");
    assert_eq!(answer.blocks, [(b"ab".to_vec(), Pace::More)]);
    let answer = returning("(x for x in [b'a', b'', b'b'])").get();
    answer.assert_text("ab");
    assert_eq!(answer.blocks, [(b"a".to_vec(), Pace::Unknown), (b"b".to_vec(), Pace::Unknown)]);
}

#[test]
fn big_lists_are_not_copied_together() {
    let answer = returning("[b'a' * 100000, b'b' * 100000]").get();
    assert_eq!(answer.outcome, Outcome::Completed);
    let sizes: Vec<_> = answer.blocks.iter().map(|(block, pace)| (block.len(), *pace)).collect();
    assert_eq!(sizes, [(100_000, Pace::More), (100_000, Pace::More)]);
}

#[test]
fn wrong_results_are_errors() {
    for (result, wanted) in [
        ("None", "TypeError: 'NoneType' object is not iterable"),
        ("5", "TypeError: 'int' object is not iterable"),
        ("'text'", "TypeError: response iterable must yield bytes, not str"),
        ("['text']", "TypeError: response iterable must yield bytes, not str"),
        ("[b'x', None]", "TypeError: response iterable must yield bytes, not NoneType"),
        ("b'x'", "TypeError: response iterable must yield bytes, not int"),
        ("[bytearray(b'x')]", "TypeError: response iterable must yield bytes, not bytearray"),
    ] {
        returning(result).get().assert_failed(wanted);
    }
}

#[test]
fn an_exception_in_a_generator_depends_on_what_was_sent() {
    let source = "def g(n):\n    for i in range(n):\n        yield b'x'\n    raise KeyError('g')\n";
    let first = Script::new(&format!("{source}{START}    return g(0)\n")).get();
    first.assert_failed("KeyError: 'g'");
    let second = Script::new(&format!("{source}{START}    return g(1)\n")).get();
    assert_eq!((second.outcome, second.text().as_str()), (Outcome::Truncated, "x"));
    assert!(second.logged("KeyError exception raised processing WSGI script"));
}

#[test]
fn write_comes_before_the_iterable() {
    let script = Script::new(
        "def application(e, s):\n    w = s('200 OK', [])\n    assert w(b'1') is None\n\
         \x20   w(b'')\n    w(b'2')\n    return [b'3']\n",
    );
    script.get().assert_text("123");
    let script = Script::new("def application(e, s):\n    s('200 OK', [])('text')\n");
    script.get().assert_failed("TypeError: write() argument must be bytes, not str");
}

/// An iterable with `close`, and an application that returns it.
const CLOSING: &str = "log = []\n\
    class Result:\n\
    \x20   def __init__(self, blocks): self.blocks = iter(blocks)\n\
    \x20   def __iter__(self): return self\n\
    \x20   def __next__(self): return next(self.blocks)\n\
    \x20   def close(self): log.append('closed')\n";

#[test]
fn close_is_called_once_whatever_happens() {
    for (blocks, patience) in [
        ("[b'x', b'y']", usize::MAX),
        ("[b'x', 5]", usize::MAX),
        ("[5]", usize::MAX),
        ("[b'x', b'y', b'z']", 1),
    ] {
        let script = Script::new(&format!(
            "{CLOSING}def application(e, s):\n\
             \x20   s('200 OK', [])\n\
             \x20   if 'ASK' in e:\n\
             \x20       return [repr(log).encode()]\n\
             \x20   return Result({blocks})\n"
        ));
        script.serve(&Call { patience, ..Call::default() });
        let entries = vec![(b"ASK".to_vec(), None)];
        script.serve(&Call { entries, ..Call::default() }).assert_text("['closed']");
    }
}

#[test]
fn what_close_raises_is_only_logged() {
    let script = Script::new(&format!(
        "{CLOSING}class Bad(Result):\n    def close(self): raise ValueError('late')\n\
         class Worse(Result):\n    @property\n    def close(self): raise ValueError('lookup')\n\
         def application(e, s):\n    s('200 OK', [])\n\
         \x20   return (Worse if 'WORSE' in e else Bad)([b'x'])\n"
    ));
    let answer = script.get();
    assert_eq!((answer.outcome, answer.text().as_str()), (Outcome::Completed, "x"));
    assert!(answer.logged("WSGI0174") && answer.logged("ValueError: late"));
    let entries = vec![(b"WORSE".to_vec(), None)];
    let answer = script.serve(&Call { entries, ..Call::default() });
    assert_eq!((answer.outcome, answer.text().as_str()), (Outcome::Completed, "x"));
    assert!(answer.logged("WSGI0194") && answer.logged("ValueError: lookup"));
}

#[test]
fn a_client_that_goes_away_ends_iteration_quietly() {
    let script = returning("(b'x' for _ in range(10))");
    let answer = script.serve(&Call { patience: 2, ..Call::default() });
    assert_eq!((answer.outcome, answer.text().as_str()), (Outcome::Completed, "xx"));
    assert_eq!(answer.errors(), Vec::<&str>::new());
}

#[test]
fn write_raises_when_the_client_goes_away() {
    let script = Script::new(
        "seen = []\n\
         def application(e, s):\n\
         \x20   w = s('200 OK', [])\n\
         \x20   if 'ASK' in e:\n\
         \x20       return [seen[0].encode()]\n\
         \x20   try:\n\
         \x20       w(b'1')\n\
         \x20       w(b'2')\n\
         \x20   except OSError as x:\n\
         \x20       seen.append(str(x))\n\
         \x20       raise\n",
    );
    let answer = script.serve(&Call { patience: 1, ..Call::default() });
    assert_eq!(answer.outcome, Outcome::Completed);
    assert_eq!(answer.errors(), Vec::<&str>::new());
    let entries = vec![(b"ASK".to_vec(), None)];
    script
        .serve(&Call { entries, ..Call::default() })
        .assert_text("mod_wsgi client connection closed");
}

#[test]
fn a_request_timeout_is_a_504() {
    let script = Script::new(
        "import mod_wsgi\n\
         def application(e, s):\n\
         \x20   w = s('200 OK', [])\n\
         \x20   if 'LATE' in e: w(b'x')\n\
         \x20   raise mod_wsgi.RequestTimeout()\n",
    );
    let answer = script.get();
    assert_eq!(answer.outcome, Outcome::Failed(504));
    assert!(answer.logged("Request interrupted by RequestTimeout; thread recovered."));
    assert_eq!(answer.errors(), Vec::<&str>::new());
    let entries = vec![(b"LATE".to_vec(), None)];
    let answer = script.serve(&Call { entries, ..Call::default() });
    assert_eq!(answer.outcome, Outcome::Truncated);
}
