//! The memory of all local agents of a process: who is loaded, who waits, and who is unloaded for another.
//!
//! Agents that fit together are loaded when they are first used, and stay. Otherwise they take turns: an agent that
//! needs room waits in one queue for each device, and idle agents are unloaded for it, the least recently used first.
//! An agent with requests is never unloaded. While another waits, a loaded agent still begins up to `TURN` requests,
//! so that two agents do not swap at each exchange; then it finishes them and makes room. The queue is served in order
//! of arrival, and a request waits for nothing but earlier requests and loads. So no request waits forever.

use crate::{error::Fault, infer::worker::Worker};
use futures_util::future::BoxFuture;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::{runtime::Handle, sync::oneshot};

/// The maximum requests that a loaded agent begins while another agent waits for its memory: as many as a run has
/// open.
const TURN: usize = 256;
/// The minimum time between the load of an agent and its unloading, if it has answered nothing.
const GRACE: Duration = Duration::from_secs(2);

/// Loads a model.
pub type Loader = Arc<dyn Fn() -> BoxFuture<'static, Result<Worker, Fault>> + Send + Sync>;

/// The memory of the local agents. The default has no limit.
#[derive(Default)]
pub struct MemoryPool {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The bytes that the agents of a device may take together; absent without a limit.
    room: HashMap<String, u64>,
    members: HashMap<u64, Member>,
    /// Requests that cannot begin yet, in order of arrival.
    queue: VecDeque<Ticket>,
    clock: u64,
}

/// One agent.
struct Member {
    device: String,
    bytes: u64,
    load: Loader,
    handle: Handle,
    residence: Residence,
    /// The number of requests under way.
    leases: usize,
    /// The time of the last use, for the order of unloading.
    used: u64,
    /// The requests that began while another agent waited.
    turn: usize,
    loaded_at: Option<Instant>,
    /// True if it has answered since it was loaded.
    served: bool,
    /// True if its agent is gone.
    left: bool,
}

enum Residence {
    Out,
    Loading,
    In(Worker),
    Leaving,
}

struct Ticket {
    member: u64,
    warm_up: bool,
    back: oneshot::Sender<Result<Lease, Fault>>,
}

/// The place of an agent in a pool. Dropping it unloads the agent.
pub struct Seat {
    pool: Arc<MemoryPool>,
    id: u64,
}

/// The right to use a loaded model. Its agent stays loaded until the lease is dropped.
pub struct Lease {
    pool: Arc<MemoryPool>,
    id: u64,
    /// The model's thread.
    pub worker: Worker,
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("member", &self.id).finish_non_exhaustive()
    }
}

impl MemoryPool {
    /// Limits the bytes that the agents of a device may take together; `None` removes the limit.
    pub fn set_room(&self, device: &str, room: Option<u64>) {
        let mut state = self.lock();
        match room {
            Some(room) => drop(state.room.insert(device.to_owned(), room)),
            None => drop(state.room.remove(device)),
        }
    }

    /// Adds an agent that takes `bytes` of a device when `load` has loaded it. Needs a tokio runtime.
    pub fn join(self: &Arc<Self>, device: &str, bytes: u64, load: Loader) -> Seat {
        let mut state = self.lock();
        state.clock += 1;
        let id = state.clock;
        let member = Member {
            device: device.to_owned(),
            bytes,
            load,
            handle: Handle::current(),
            residence: Residence::Out,
            leases: 0,
            used: id,
            turn: 0,
            loaded_at: None,
            served: false,
            left: false,
        };
        state.members.insert(id, member);
        Seat { pool: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets every request begin that can, and starts loads and unloads.
    fn pump(self: &Arc<Self>, state: &mut State) {
        let mut waiting = std::mem::take(&mut state.queue);
        let mut blocked: Vec<String> = Vec::new();
        while let Some(ticket) = waiting.pop_front() {
            if ticket.back.is_closed() {
                continue;
            }
            let Some(member) = state.members.get(&ticket.member) else { continue };
            let device = member.device.clone();
            let others_wait = blocked.contains(&device);
            if let (Residence::In(worker), true) = (&member.residence, !others_wait || member.turn < TURN) {
                let lease = Lease { pool: self.clone(), id: ticket.member, worker: worker.clone() };
                state.grant(ticket, lease, others_wait);
                continue;
            }
            if others_wait {
                state.queue.push_back(ticket);
                continue;
            }
            if matches!(member.residence, Residence::Out) {
                match self.make_room(state, ticket.member) {
                    true => self.load(state, ticket.member),
                    false => blocked.push(device),
                }
            }
            state.queue.push_back(ticket);
        }
    }

    /// True if a member fits now. Else starts to unload idle members, until it would fit.
    fn make_room(self: &Arc<Self>, state: &mut State, id: u64) -> bool {
        let member = &state.members[&id];
        let (device, bytes) = (member.device.clone(), member.bytes);
        let Some(room) = state.room.get(&device).copied() else { return true };
        let there = |state: &State, leaving: bool| -> u64 {
            let counts = |member: &&Member| match member.residence {
                Residence::Out => false,
                Residence::Leaving => leaving,
                Residence::Loading | Residence::In(_) => true,
            };
            state.members.values().filter(|m| m.device == device).filter(counts).map(|m| m.bytes).sum()
        };
        let taken = there(state, true);
        // a member that exceeds the room was loaded under another limit, so it is loaded alone
        if taken + bytes <= room || taken == 0 {
            return true;
        }
        let mut idle: Vec<(u64, u64, u64)> = Vec::new();
        for (other, member) in state.members.iter().filter(|(_, member)| member.device == device) {
            if !matches!(member.residence, Residence::In(_)) || member.leases > 0 {
                continue;
            }
            let fresh = member.loaded_at.map(|at| GRACE.saturating_sub(at.elapsed())).filter(|left| !left.is_zero());
            match fresh.filter(|_| !member.served && !member.left) {
                Some(left) => self.pump_later(member, left),
                None => idle.push((member.used, *other, member.bytes)),
            }
        }
        idle.sort_unstable();
        let mut after = there(state, false);
        for (_, other, freed) in idle {
            if after + bytes <= room {
                break;
            }
            after -= freed;
            self.unload(state, other);
        }
        false
    }

    fn pump_later(self: &Arc<Self>, member: &Member, left: Duration) {
        let pool = self.clone();
        member.handle.spawn(async move {
            tokio::time::sleep(left).await;
            pool.pump(&mut pool.lock());
        });
    }

    fn load(self: &Arc<Self>, state: &mut State, id: u64) {
        let Some(member) = state.members.get_mut(&id) else { return };
        member.residence = Residence::Loading;
        let (pool, loading) = (self.clone(), (member.load)());
        member.handle.spawn(async move {
            let loaded = loading.await;
            pool.on_loaded(id, loaded);
        });
    }

    fn on_loaded(self: &Arc<Self>, id: u64, loaded: Result<Worker, Fault>) {
        let mut state = self.lock();
        let Some(member) = state.members.get_mut(&id) else { return };
        match loaded {
            Ok(worker) => {
                (member.served, member.turn, member.loaded_at) = (false, 0, Some(Instant::now()));
                member.residence = Residence::In(worker);
                if member.left {
                    self.unload(&mut state, id);
                }
            }
            Err(fault) => {
                member.residence = Residence::Out;
                if member.left {
                    state.members.remove(&id);
                }
                let (failed, others): (VecDeque<_>, VecDeque<_>) =
                    std::mem::take(&mut state.queue).into_iter().partition(|ticket| ticket.member == id);
                state.queue = others;
                failed.into_iter().for_each(|ticket| drop(ticket.back.send(Err(fault.clone()))));
            }
        }
        self.pump(&mut state);
    }

    fn unload(self: &Arc<Self>, state: &mut State, id: u64) {
        let Some(member) = state.members.get_mut(&id) else { return };
        let Residence::In(worker) = std::mem::replace(&mut member.residence, Residence::Leaving) else { return };
        tracing::debug!(member = id, bytes = member.bytes, "unloading a model");
        let pool = self.clone();
        member.handle.spawn(async move {
            worker.stop().await;
            let mut state = pool.lock();
            match state.members.get_mut(&id) {
                Some(member) if !member.left => member.residence = Residence::Out,
                _ => drop(state.members.remove(&id)),
            }
            pool.pump(&mut state);
        });
    }
}

impl State {
    /// Gives a lease to a request, unless it no longer waits.
    fn grant(&mut self, ticket: Ticket, lease: Lease, others_wait: bool) {
        let (id, warm_up) = (ticket.member, ticket.warm_up);
        match ticket.back.send(Ok(lease)) {
            Ok(()) => self.count(id, warm_up, others_wait),
            // the drop of a lease locks the pool, and this one was not counted
            Err(unwanted) => unwanted.into_iter().for_each(Lease::forget),
        }
    }

    fn count(&mut self, id: u64, warm_up: bool, others_wait: bool) {
        self.clock += 1;
        let clock = self.clock;
        if let Some(member) = self.members.get_mut(&id) {
            member.leases += 1;
            member.used = clock;
            member.served |= !warm_up;
            member.turn = if others_wait { member.turn + 1 } else { 0 };
        }
    }
}

impl Lease {
    fn forget(self) {
        let mut lease = self;
        lease.id = 0;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.id == 0 {
            return;
        }
        let mut state = self.pool.lock();
        state.clock += 1;
        let clock = state.clock;
        if let Some(member) = state.members.get_mut(&self.id) {
            member.leases -= 1;
            member.used = clock;
        }
        self.pool.pump(&mut state);
    }
}

impl Seat {
    /// Waits until the model is loaded and may be used. `warm_up` only loads it. Fails if loading fails.
    pub async fn enter(&self, warm_up: bool) -> Result<Lease, Fault> {
        let (back, answer) = oneshot::channel();
        {
            let mut state = self.pool.lock();
            let others_wait = state.queue.iter().any(|ticket| ticket.member != self.id);
            let Some(member) = state.members.get_mut(&self.id) else { return Err(lost()) };
            if let Residence::In(worker) = &member.residence
                && (!others_wait || member.turn < TURN)
            {
                let worker = worker.clone();
                state.count(self.id, warm_up, others_wait);
                return Ok(Lease { pool: self.pool.clone(), id: self.id, worker });
            }
            state.queue.push_back(Ticket { member: self.id, warm_up, back });
            self.pool.pump(&mut state);
        }
        answer.await.unwrap_or_else(|_| Err(lost()))
    }

    /// True if the model takes memory.
    pub fn is_loaded(&self) -> bool {
        self.pool.lock().members.get(&self.id).is_some_and(|member| !matches!(member.residence, Residence::Out))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        let Some(member) = state.members.get_mut(&self.id) else { return };
        member.left = true;
        match member.residence {
            Residence::Out => drop(state.members.remove(&self.id)),
            Residence::In(_) => self.pool.unload(&mut state, self.id),
            Residence::Loading | Residence::Leaving => {}
        }
    }
}

fn lost() -> Fault {
    Fault::model("the model was unloaded: this is a bug")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exchange::{EmbedRequest, Item, Reply, Request},
        infer::{
            job::{Input, Job, Model},
            worker::WorkerLimits,
        },
    };
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

    /// The memory that loaded models take, and its peak.
    #[derive(Default)]
    struct Taken {
        now: AtomicU64,
        peak: AtomicU64,
        loads: AtomicUsize,
    }

    /// A model that takes memory until it is dropped.
    struct Fake(Arc<Taken>, u64);

    impl Fake {
        fn load(taken: &Arc<Taken>, bytes: u64) -> Fake {
            let now = taken.now.fetch_add(bytes, Ordering::SeqCst) + bytes;
            taken.peak.fetch_max(now, Ordering::SeqCst);
            taken.loads.fetch_add(1, Ordering::SeqCst);
            Fake(taken.clone(), bytes)
        }
    }

    impl Model for Fake {
        fn answer(&mut self, jobs: Vec<Job>) {
            jobs.into_iter().for_each(|job| job.answer(Ok(Reply::Embed(vec![self.1 as f32]))));
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            self.0.now.fetch_sub(self.1, Ordering::SeqCst);
        }
    }

    fn seat(pool: &Arc<MemoryPool>, taken: &Arc<Taken>, bytes: u64) -> Seat {
        let taken = taken.clone();
        let load: Loader = Arc::new(move || {
            let taken = taken.clone();
            let load = move || Ok(Box::new(Fake::load(&taken, bytes)) as Box<dyn Model>);
            Box::pin(Worker::start("fake", WorkerLimits::default(), load))
        });
        pool.join("cpu", bytes, load)
    }

    async fn ask(seat: &Seat) -> Result<Reply, Fault> {
        let lease = seat.enter(false).await?;
        let request = Request::Embed(EmbedRequest::new(Item::Text("x".into())));
        let (job, answer) = Job::new(request, vec![Input::Text("x".into())], 0, None);
        lease.worker.send(job).await?;
        answer.await.expect("an answer")
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn every_request_is_answered_within_the_room() {
        for seed in 0..12 {
            let mut random = StdRng::seed_from_u64(seed);
            let (pool, taken) = (Arc::new(MemoryPool::default()), Arc::new(Taken::default()));
            let sizes: Vec<u64> = (0..random.random_range(2..6)).map(|_| random.random_range(1..10)).collect();
            let room = sizes.iter().max().copied().unwrap_or(1) + random.random_range(0..8);
            pool.set_room("cpu", Some(room));
            let seats: Vec<Arc<Seat>> = sizes.iter().map(|bytes| Arc::new(seat(&pool, &taken, *bytes))).collect();
            let mut asked = Vec::new();
            for n in 0..300 {
                let place = random.random_range(0..seats.len());
                let (seat, bytes) = (seats[place].clone(), sizes[place] as f32);
                // some callers leave before their answer
                let leaves = random.random_range(0..10) == 0;
                let warms = random.random_range(0..20) == 0;
                asked.push(tokio::spawn(async move {
                    if warms {
                        drop(seat.enter(true).await.expect("loaded"));
                    }
                    if leaves {
                        let asking = ask(&seat);
                        tokio::pin!(asking);
                        let _ = futures_util::poll!(asking);
                        return;
                    }
                    assert_eq!(ask(&seat).await.expect("answered"), Reply::Embed(vec![bytes]), "{n}");
                }));
            }
            for one in asked {
                one.await.expect("no panic");
            }
            assert!(taken.peak.load(Ordering::SeqCst) <= room, "seed {seed}: {sizes:?} in {room}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn agents_that_fit_together_are_loaded_once() {
        let (pool, taken) = (Arc::new(MemoryPool::default()), Arc::new(Taken::default()));
        pool.set_room("cpu", Some(7));
        let (a, b) = (seat(&pool, &taken, 4), seat(&pool, &taken, 3));
        for _ in 0..20 {
            ask(&a).await.expect("answered");
            ask(&b).await.expect("answered");
        }
        assert_eq!(taken.loads.load(Ordering::SeqCst), 2);
        drop(a);
        let c = seat(&pool, &taken, 4);
        ask(&c).await.expect("the room of an agent that is gone is free again");
        assert!(taken.peak.load(Ordering::SeqCst) <= 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn queued_requests_are_finished_before_agents_swap() {
        let (pool, taken) = (Arc::new(MemoryPool::default()), Arc::new(Taken::default()));
        pool.set_room("cpu", Some(5));
        let (a, b) = (Arc::new(seat(&pool, &taken, 4)), Arc::new(seat(&pool, &taken, 3)));
        // 100 requests to each, alternating, are open together
        let asked: Vec<_> = (0..200)
            .map(|n| {
                let seat = if n % 2 == 0 { a.clone() } else { b.clone() };
                tokio::spawn(async move { ask(&seat).await })
            })
            .collect();
        for one in asked {
            one.await.expect("no panic").expect("answered");
        }
        let loads = taken.loads.load(Ordering::SeqCst);
        assert!(loads <= 20, "200 requests took {loads} loads");
    }

    #[tokio::test]
    async fn a_model_that_cannot_be_loaded_fails_its_own_requests_only() {
        let (pool, taken) = (Arc::new(MemoryPool::default()), Arc::new(Taken::default()));
        pool.set_room("cpu", Some(5));
        let broken = pool.join("cpu", 5, Arc::new(|| Box::pin(async { Err(Fault::model("damaged")) })));
        let sound = seat(&pool, &taken, 5);
        assert_eq!(broken.enter(false).await.map(drop).expect_err("damaged").message, "damaged");
        ask(&sound).await.expect("answered");
        assert!(sound.is_loaded() && !broken.is_loaded());
    }
}
