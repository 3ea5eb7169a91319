"""The transports against their specifications: one test a rule, over real sockets."""
