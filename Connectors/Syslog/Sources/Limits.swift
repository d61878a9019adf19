/// Every bound of the syslog probe that is not a setting, in one place.
enum SyslogLimits {
  /// Digits of an octet count: frames of up to 9,999,999 bytes are skipped over, longer ones end the connection.
  static let octetCountDigitsMax = 7
  /// Bytes taken from a socket at once; a UDP datagram has at most 65,507.
  static let readBytes = 65_536
  /// Datagrams taken from one socket before the others have their turn.
  static let datagramsPerTurn = 256
  /// Connections taken from one listener before the others have their turn.
  static let acceptsPerTurn = 64
  /// The length of a listener's queue, and the socket buffer asked for, in bytes (the kernel may give less).
  static let backlog: Int32 = 128
  static let receiveBuffer: Int32 = 4 << 20
  static let addressesMax = 16
  /// Elements and parameters of structured data; a message with more is malformed.
  static let elementsMax = 64
  static let parametersMax = 256
  /// Bytes of the text from the message that becomes the AlertKey.
  static let alertKeyBytesMax = 255
  /// A message's time further ahead of the receipt is not believed, in ms: it would be the row's last
  /// occurrence for ever.
  static let aheadMax: Int64 = 3_600_000
}
