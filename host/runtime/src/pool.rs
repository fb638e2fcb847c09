//! Places for instances that are set aside at the start. It must be as large as
//! the server's bounds, and no larger.

use wasmtime::component::Component;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::server::{Bounds, Reuse};

/// How many memories, and tables, an instance may be made of: the program's, and
/// those of what lends it the host's functions and puts the two together. What is
/// composed of several programs has more.
const MEMORIES: u32 = 1;
const TABLES: u32 = 4;

/// How much of a memory, and of a table, that was used stays with its place. To
/// clear that takes less than to have it from the operating system again.
const KEPT_OF_MEMORY: usize = 64 << 10;
const KEPT_OF_TABLE: usize = 4 << 10;

/// How many places that were used are taken again before others.
const WARM: u32 = 256;

/// How large a pool is to be.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    instances: u32,
    memory: usize,
}

impl Pool {
    pub(crate) fn new(bounds: &Bounds) -> Self {
        let instances = match bounds.reuse {
            Reuse::Never => bounds.connections,
            // Those that are kept by a service are there while another is served
            // with.
            Reuse::Times(_) | Reuse::Always => bounds.connections.saturating_mul(2),
        };
        Self {
            instances,
            memory: bounds.memory,
        }
    }

    /// Whether each place has room for an instance of a component.
    pub(crate) fn has_room_for(component: &Component) -> bool {
        component.resources_required().is_some_and(|required| {
            required.num_memories <= MEMORIES && required.num_tables <= TABLES
        })
    }

    /// An engine with such a pool.
    pub(crate) fn engine(&self, mut config: Config) -> wasmtime::Result<wasmtime::Engine> {
        let Self { instances, memory } = *self;
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            // They are counted, and nothing is set aside for them.
            .total_core_instances(u32::MAX)
            .total_memories(instances.saturating_mul(MEMORIES))
            .total_stacks(instances)
            .total_tables(instances.saturating_mul(TABLES))
            .max_memory_size(memory)
            .max_unused_warm_slots(WARM.min(instances))
            // Of what was written to, wherever that is: a stack and a heap are far
            // from each other.
            .pagemap_scan(Enabled::Auto)
            .linear_memory_keep_resident(KEPT_OF_MEMORY)
            .table_keep_resident(KEPT_OF_TABLE);
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        wasmtime::Engine::new(&config).map_err(|error| {
            error.context(format!(
                "cannot set places for {instances} instances aside: a process has 128 TiB of \
                 addresses, less where `ulimit -v` says so, of which each takes some 4 GiB; serve \
                 fewer at once (`--max-connections`), or without a pool (`--no-pool`)"
            ))
        })
    }
}
