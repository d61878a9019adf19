/// Every bound of the host monitor in one place.
enum HostLimits {
  /// Bytes read of one file of /proc; `stat` of a machine with a thousand cores is 200 KiB.
  static let fileBytesMax = 1 << 20
  /// Mounts measured, interfaces measured, processes named: past these the rest is not measured, and counted.
  static let mountsMax = 256
  static let interfacesMax = 256
  static let processNamesMax = 256
  /// Processes looked at in a scan.
  static let processesMax = 65_536
  /// Lines read of the mount list.
  static let mountLinesMax = 16_384
  /// What is tracked: a mount is one resource, an interface three (errors, drops, link), an expected interface
  /// or process one, and the machine itself six: 256 + 3 x 256 + 256 + 256 + 6 = 1,542.
  static let resourcesMax = 2048
  /// Names and patterns in one list of the settings.
  static let listMax = 256
}
