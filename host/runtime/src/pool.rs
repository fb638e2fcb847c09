//! Places for instances that are set aside at the start. It must be as large as
//! the server's bounds, and no larger.

use wasmtime::{Config, InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::server::{Bounds, Reuse};

/// Of how many core modules, and tables, an instance is mostly made: the
/// program, what lends it the host's functions, and what puts the two together.
const MODULES: u32 = 8;
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

    /// An engine with such a pool.
    pub(crate) fn engine(&self, mut config: Config) -> wasmtime::Result<wasmtime::Engine> {
        let Self { instances, memory } = *self;
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(instances)
            .total_core_instances(instances.saturating_mul(MODULES))
            .total_memories(instances)
            .total_stacks(instances)
            .total_tables(instances.saturating_mul(TABLES))
            .max_memory_size(memory)
            .max_unused_warm_slots(WARM.min(instances))
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
