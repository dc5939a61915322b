//! Parallel work on all cores, with results in order.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    num::NonZero,
    panic::resume_unwind,
    sync::{Condvar, Mutex, PoisonError, mpsc},
    thread,
};

/// Calls `work` for each item, on all cores, and returns the results in the
/// order of the items. A panic in `work` is propagated to the caller.
pub fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let mut results = Vec::with_capacity(items.len());
    let Ok(()) = in_order(items, work, |_, result| {
        results.push(result);
        Ok::<(), Infallible>(())
    });
    results
}

/// Calls `work` for each item, on all cores, and `take` with each result, in
/// the order of the items. Stops at the first error.
///
/// At most a few results for each core are held.
///
/// # Errors
///
/// The first error of `take`.
pub fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut take: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let queue = Queue::new(items.len(), 2 * cores);
    let (sender, results) = mpsc::channel();
    let run = |sender: mpsc::Sender<(usize, R)>| {
        let _stop = Stop(&queue);
        while let Some((number, item)) = queue.next().and_then(|number| Some((number, items.get(number)?))) {
            if sender.send((number, work(item))).is_err() {
                return;
            }
        }
    };
    thread::scope(|scope| {
        let senders = (0..cores).map(|_| sender.clone());
        let workers: Vec<_> = senders.map(|sender| scope.spawn(|| run(sender))).collect();
        drop(sender);
        let stop = Stop(&queue);
        let mut waiting = BTreeMap::new();
        let mut result = Ok(());
        'items: for (number, item) in items.iter().enumerate() {
            let made = loop {
                if let Some(made) = waiting.remove(&number) {
                    break made;
                }
                // The channel is closed if a worker has panicked.
                let Ok((number, made)) = results.recv() else { break 'items };
                waiting.insert(number, made);
            };
            result = take(item, made);
            if result.is_err() {
                break;
            }
            queue.taken();
        }
        drop(stop);
        for worker in workers {
            worker.join().unwrap_or_else(|panic| resume_unwind(panic));
        }
        result
    })
}

/// Queue of the indices of the items.
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    next: usize,
    /// Indices below this one may be taken. The others wait until results are
    /// taken.
    allowed: usize,
    end: usize,
}

impl Queue {
    fn new(end: usize, allowed: usize) -> Self {
        Self { state: Mutex::new(State { next: 0, allowed, end }), changed: Condvar::new() }
    }

    /// Returns the next index; `None` at the end.
    fn next(&self) -> Option<usize> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = |state: &mut State| state.next < state.end && state.next >= state.allowed;
        let mut state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        let number = state.next;
        state.next += 1;
        (number < state.end).then_some(number)
    }

    /// Allows one more item, after a result was taken.
    fn taken(&self) {
        self.change(|state| state.allowed += 1);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }
}

/// Ends the queue when dropped, also on a panic.
struct Stop<'a>(&'a Queue);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.end = 0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    #[test]
    fn results_come_in_order_and_few_are_held() {
        let items: Vec<usize> = (0..1000).collect();
        let (begun, taken, most) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |item: &usize| {
            let held = begun.fetch_add(1, SeqCst) + 1 - taken.load(SeqCst);
            most.fetch_max(held, SeqCst);
            if item.is_multiple_of(7) {
                thread::yield_now();
            }
            item * 2
        };
        let mut all = Vec::new();
        let result = in_order(&items, work, |item, made| {
            taken.fetch_add(1, SeqCst);
            all.push((*item, made));
            Ok::<_, ()>(())
        });
        assert_eq!(result, Ok(()));
        assert!(all.iter().enumerate().all(|(number, pair)| *pair == (number, number * 2)) && all.len() == 1000);
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        assert!(most.load(SeqCst) <= 3 * cores, "{most:?}");
        assert_eq!(in_order(&[], |item: &u8| *item, |_, _| Err(())), Ok(()));
    }

    #[test]
    fn all_results_are_collected() {
        let items: Vec<usize> = (0..1000).collect();
        assert_eq!(on_all_cores(&items, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(on_all_cores(&[], |item: &u8| *item).is_empty());
    }

    #[test]
    fn an_error_or_a_panic_is_the_end() {
        let items: Vec<usize> = (0..1000).collect();
        let mut count = 0;
        let result = in_order(
            &items,
            |item| *item,
            |item, _| {
                count += 1;
                if *item == 17 { Err("enough") } else { Ok(()) }
            },
        );
        assert_eq!((result, count), (Err("enough"), 18));
        let panics = std::panic::catch_unwind(|| {
            in_order(&items, |item| assert!(*item != 500, "five hundred"), |_, ()| Ok::<_, ()>(()))
        });
        let message = panics.unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"five hundred"));
    }
}
