// Syslog
