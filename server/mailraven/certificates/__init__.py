"""The certificate store: chains and sealed keys, served by SNI, swapped without a restart."""
