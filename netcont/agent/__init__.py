"""Mobile IP's daemons: the machines of netcont.mobileip with sockets, a clock and the kernel."""
