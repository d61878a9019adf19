import Base
import Testing

@testable import HostMonitor

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Test func `load averages are read`() {
  #expect(
    ProcText.loadAverage(bytes("0.06 1.04 12.01 2/84 3282\n"))
      == LoadAverage(one: 0.06, five: 1.04, fifteen: 12.01))
  for bad in ["", "\n", "0.1 0.2", "a b c", "-1 0 0", "inf 0 0"] {
    #expect(ProcText.loadAverage(bytes(bad)) == nil)
  }
}

@Test func `CPU times leave guests out, who are counted already`() {
  let text = "cpu  10 20 30 400 50 6 7 8 9 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\nintr 5 6\n"
  #expect(ProcText.cpuTimes(bytes(text)) == CPUTimes(busy: 81, total: 531, cores: 2))
  #expect(ProcText.cpuTimes(bytes("cpu  1 2 3 4\n")) == CPUTimes(busy: 6, total: 10, cores: 1))
  for bad in ["", "intr 1\n", "cpu 1 2 3\n", "cpu 1 2 x 4 5\n"] {
    #expect(ProcText.cpuTimes(bytes(bad)) == nil)
  }
}

@Test func `memory is read with and without MemAvailable`() {
  let new = "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n"
  #expect(
    ProcText.memory(bytes(new))
      == MemoryInfo(total: 1_024_000, available: 409_600, swapTotal: 10_240, swapFree: 4096))
  let old = "MemTotal: 1000 kB\nMemFree: 100 kB\nCached: 200 kB\n"
  #expect(ProcText.memory(bytes(old))?.available == 307_200)
  #expect(ProcText.memory(bytes("MemTotal: 10 kB\nMemAvailable: 20 kB\n"))?.available == 10_240)
  for bad in ["", "MemTotal: 0 kB\n", "MemFree: 1 kB\n"] { #expect(ProcText.memory(bytes(bad)) == nil) }
}

@Test func `interfaces are read`() {
  let text = """
    Inter-|   Receive                                                |  Transmit
     face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls
      eth0: 11 300 1 2 0 0 0 0 18 218 4 8 0 0 0 0
    tiny:7 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0
    ../x: 7 1 0 0 0 0 0 0 9 1 0 0 0 0 0 0
     broken 1 2 3
    """
  #expect(
    ProcText.interfaces(bytes(text)) == [
      Interface(name: "eth0", received: 11, sent: 18, errors: 5, drops: 10),
      Interface(name: "tiny", received: 7, sent: 9, errors: 0, drops: 0),
    ])
}

@Test(
  arguments: [
    ("up", "0x1003", .up), ("down", "0x1003", .down), ("lowerlayerdown", "0x1", .down),
    ("down", "0x1002", .off),
    ("unknown", "0x9", .unknown), ("", "", .unknown), ("down", "junk", .down),
  ] as [(String, String, Interface.Link)])
func `a link's state is read`(operstate: String, flags: String, link: Interface.Link) {
  #expect(ProcText.link(operstate: bytes(operstate + "\n"), flags: bytes(flags + "\n")) == link)
}

@Test func `mounts are read with their escapes`() {
  let text = """
    27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
    28 27 8:1 / /mnt/a\\040b\\134c rw shared:1 master:2 - xfs /dev/sdb rw
    short line
    29 1 0:5 / /x rw no dash here
    """
  #expect(
    ProcText.mounts(bytes(text)) == [
      ProcText.Mount(device: "254:0", path: bytes("/"), type: "ext4"),
      ProcText.Mount(device: "8:1", path: bytes("/mnt/a b\\c"), type: "xfs"),
    ])
  #expect(ProcText.unescaped(bytes("a\\9\\777\\04")[...]) == bytes("a\\9\\777\\04"))
}

@Test func `a process's name can hold anything`() {
  let read = ProcText.process(bytes("12 (a) b (c) Z 1 12 12"))
  #expect(read?.name == "a) b (c" && read?.state == UInt8(ascii: "Z"))
  for bad in ["", "12 a S", "12 (a)", "12 )a( S", "12 (a) "] { #expect(ProcText.process(bytes(bad)) == nil) }
}

@Test func `no bytes break the readers of proc`() {
  var random = SeededRandom(seed: 5)
  let alphabet = bytes("cpu MemTotal: kB\n0123456789.-()\\ :/eth0")
  for _ in 0..<5000 {
    let text = (0..<80).map { _ in alphabet.randomElement(using: &random) ?? 0 }
    _ = ProcText.loadAverage(text)
    _ = ProcText.cpuTimes(bytes("cpu ") + text)
    _ = ProcText.memory(bytes("MemTotal: 99999999999999999 kB\n") + text)
    #expect(ProcText.interfaces(text).count < 80 && ProcText.mounts(text).count < 80)
    _ = ProcText.process(text)
  }
}
