"""An engine, a sampler and a gate that another package brings."""
