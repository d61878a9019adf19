// HostMonitor
