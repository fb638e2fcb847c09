//! Running futures on the one thread that there is.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use async_task::Task;

use super::queue::Queue;
use super::reactor::{Patience, Reactor};

/// How many tasks run between two looks at the sockets, so that tasks which
/// always can go on do not starve those which wait.
const TASKS_BETWEEN_LOOKS: usize = 64;

thread_local! {
    static QUEUE: Queue = Queue::default();
}

/// Runs a future to its end, and next to it the tasks that were spawned. What is
/// left of these when it ends goes on with the next `block_on`.
///
/// # Panics
///
/// When nothing is left that could wake the future: no task can go on, and no
/// socket, timer or input is waited for. On one thread that would be for ever.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let queue = QUEUE.with(Queue::clone);
    loop {
        if woken.take()
            && let Poll::Ready(output) = future.as_mut().poll(&mut context)
        {
            return output;
        }
        for _ in 0..TASKS_BETWEEN_LOOKS {
            let Some(runnable) = queue.pop() else { break };
            runnable.run();
        }
        let patience = if woken.is_set() || !queue.is_empty() {
            Patience::None
        } else {
            Patience::UntilSomethingHappens
        };
        Reactor::with(|reactor| reactor.turn(patience));
    }
}

/// Starts a task, which runs whenever [`block_on`] does.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let queue = QUEUE.with(Queue::clone);
    let (runnable, task) = async_task::spawn_local(future, move |runnable| queue.push(runnable));
    runnable.schedule();
    JoinHandle(Some(task))
}

/// Lets the other tasks go on first.
pub async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A task that was [`spawn`]ed; awaiting it gives its output. Without it the task
/// goes on by itself, as a thread does without its [`std::thread::JoinHandle`].
#[derive(Debug)]
pub struct JoinHandle<T>(Option<Task<T>>);

impl<T> JoinHandle<T> {
    /// Whether it has ended.
    pub fn is_finished(&self) -> bool {
        self.0.as_ref().is_none_or(Task::is_finished)
    }

    /// Stops the task at the place where it waits, and drops what it holds. Gives
    /// its output if it had ended already.
    pub async fn cancel(mut self) -> Option<T> {
        self.0.take()?.cancel().await
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            Some(task) => Pin::new(task).poll(context),
            // Only `cancel` takes it, which takes the whole handle.
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.detach();
        }
    }
}

/// Whether the future of a `block_on` is to be polled.
struct Woken(AtomicBool);

impl Woken {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::future::pending;
    use std::rc::Rc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::task::{sleep, timeout};

    #[test]
    fn a_future_that_is_ready_is_done() {
        assert_eq!(block_on(async { 7 }), 7);
    }

    #[test]
    fn a_task_gives_its_output_to_whoever_joins_it() {
        let output = block_on(async { spawn(async { 3 }).await + spawn(async { 4 }).await });
        assert_eq!(output, 7);
    }

    #[test]
    fn a_task_goes_on_without_its_handle() {
        let done = Rc::new(Cell::new(false));
        let flag = Rc::clone(&done);
        block_on(async {
            drop(spawn(async move { flag.set(true) }));
            yield_now().await;
        });
        assert!(done.get());
    }

    #[test]
    fn a_task_that_is_left_goes_on_with_the_next_block_on() {
        let task = spawn(async {
            sleep(Duration::from_millis(1)).await;
            7
        });
        block_on(yield_now());
        assert!(!task.is_finished());
        assert_eq!(block_on(task), 7);
    }

    #[test]
    fn tasks_take_turns() {
        let order = Rc::new(RefCell::new(Vec::new()));
        block_on(async {
            let tasks = ["a", "b"].map(|name| {
                let order = Rc::clone(&order);
                spawn(async move {
                    for _ in 0..3 {
                        order.borrow_mut().push(name);
                        yield_now().await;
                    }
                })
            });
            for task in tasks {
                task.await;
            }
        });
        assert_eq!(*order.borrow(), ["a", "b", "a", "b", "a", "b"]);
    }

    #[test]
    fn a_task_that_never_waits_does_not_hold_up_a_timer() {
        block_on(async {
            let busy = spawn(async {
                loop {
                    yield_now().await;
                }
            });
            sleep(Duration::from_millis(5)).await;
            assert_eq!(busy.cancel().await, None::<()>);
        });
    }

    #[test]
    fn a_cancelled_task_drops_what_it_holds() {
        let held = Rc::new(());
        let holder = Rc::clone(&held);
        block_on(async {
            let task = spawn(async move {
                let _holder = holder;
                pending::<()>().await;
            });
            yield_now().await;
            assert_eq!(Rc::strong_count(&held), 2);
            assert_eq!(task.cancel().await, None);
            assert_eq!(Rc::strong_count(&held), 1);
        });
    }

    #[test]
    fn cancelling_a_task_that_has_ended_gives_its_output() {
        let output = block_on(async {
            let task = spawn(async { 7 });
            yield_now().await;
            assert!(task.is_finished());
            task.cancel().await
        });
        assert_eq!(output, Some(7));
    }

    #[test]
    fn a_task_may_block_on_another_future() {
        let output = block_on(async {
            let other = spawn(async {
                sleep(Duration::from_millis(1)).await;
                7
            });
            spawn(async { block_on(other) }).await
        });
        assert_eq!(output, 7);
    }

    #[test]
    #[should_panic(expected = "nothing is left")]
    fn a_future_that_nothing_can_wake_is_an_error() {
        block_on(pending::<()>());
    }

    #[test]
    fn ten_thousand_tasks_sleep_at_once() {
        let begin = Instant::now();
        let sum: u64 = block_on(async {
            let tasks: Vec<_> = (0..10_000_u64)
                .map(|number| {
                    spawn(async move {
                        sleep(Duration::from_millis(number % 50)).await;
                        number
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await;
            }
            sum
        });
        assert_eq!(sum, 49_995_000);
        assert!(begin.elapsed() >= Duration::from_millis(49));
    }

    #[test]
    fn a_timeout_cuts_a_join_short_and_not_the_task() {
        block_on(async {
            let mut task = spawn(async {
                sleep(Duration::from_millis(20)).await;
                7
            });
            timeout(Duration::from_millis(1), &mut task)
                .await
                .unwrap_err();
            assert_eq!(task.await, 7);
        });
    }
}
