//! What a broken law prints: its name, and the bytes that it is broken for as text.

use std::cell::RefCell;
use std::sync::Once;

thread_local! {
    static UNDER_TEST: RefCell<Vec<(&'static str, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
}

/// Names a law and the bytes that it is held to, until the guard is dropped. A panic meanwhile prints
/// both, in a test, in a replayed seed and in a fuzz target alike.
#[must_use = "the law ends when this is dropped"]
pub fn law(name: &'static str, bytes: impl AsRef<[u8]>) -> Law {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            UNDER_TEST.with_borrow(|laws| {
                for (name, bytes) in laws {
                    eprintln!("broken law: {name}\n     bytes: \"{}\"", text(bytes));
                }
            });
            print(panic);
        }));
    });
    let bytes = bytes.as_ref().to_vec();
    UNDER_TEST.with_borrow_mut(|laws| laws.push((name, bytes)));
    Law(())
}

/// The guard that [`law`] returns.
pub struct Law(());

impl Drop for Law {
    fn drop(&mut self) {
        UNDER_TEST.with_borrow_mut(Vec::pop);
    }
}

/// Bytes as the text of a string literal: ends-of-line and control characters are escaped, and so are
/// bytes that are not UTF-8. Of many bytes only the first 2000 are shown.
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let shown = &bytes[..bytes.len().min(2000)];
    let text: String = shown
        .utf8_chunks()
        .map(|chunk| {
            let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}"));
            let valid = chunk.valid().escape_debug().to_string().replace("\\'", "'");
            valid + &invalid.collect::<String>()
        })
        .collect();
    if shown.len() < bytes.len() {
        return format!("{text}... ({} bytes)", bytes.len());
    }
    text
}
