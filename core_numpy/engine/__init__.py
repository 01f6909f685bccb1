"""The fast tier: a network compiled into a plan of blocks over preallocated buffers, chunk by chunk.

The layers of ``core_numpy.layers`` define what is computed; the blocks here compute the same faster. Read in this
order: ``layout``, ``block``, ``convolution``, ``plan``, ``shards``, ``runner``. docs/engine.md says why each trick
pays.
"""
