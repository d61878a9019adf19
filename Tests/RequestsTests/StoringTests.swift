import Base
import Events
import Testing

@testable import Requests

/// Store-and-forward: what a request is while its client is away.
@Suite struct StoringTests {
  private let storing = #""mode":"all","store_and_forward":true,"lease_ms":10000"#

  @Test func `a lease that is over leaves the stream collecting until the client is back or ends it`() {
    let desk = Desk()
    desk.ask("gw/h", core, storing)
    let id = desk.streamID("gw/h")
    let left = desk.wait(.seconds(11))
    #expect(left.stored == [id] && left.ended.isEmpty)
    #expect(desk[reply: "gw/h"]["status"]?.string == "away")
    #expect(desk.wait(.seconds(100_000)).isEmpty, "for as long as it takes")
    let back = desk.ask("gw/h", core, storing)
    #expect(back.takenUp == [id])
    #expect(desk[reply: "gw/h"]["status"]?.string == "active")
    #expect(desk.streamID("gw/h") == id)
    #expect(desk.wait(.seconds(11)).stored == [id], "its lease counts again")
    desk.send("gw/h", nil)
    #expect(desk[reply: "gw/h"]["status"]?.string == "ended")
    #expect(desk.wait(.seconds(31)).ended.map(\.id) == [id])
  }

  @Test func `who is away is away after a restart, and hears of the limit`() {
    let desk = Desk()
    desk.ask("gw/h", core, storing)
    let id = desk.streamID("gw/h")
    desk.wait(.seconds(11))
    #expect(desk.restart().isEmpty)
    #expect(desk.registry.storing == [id])
    desk.commit(desk.registry.fill(id, reason: "enough", now: desk.now))
    #expect(desk[reply: "gw/h"]["status"]?.string == "full")
    #expect(desk[reply: "gw/h"]["error"]?["message"]?.string == "enough")
    #expect(desk.cluster["stream/\(id)"]?["full"]?["message"]?.string == "enough")
    #expect(desk.registry.fill(id, reason: "enough", now: desk.now).isEmpty)
    desk.restart()
    #expect(desk.ask("gw/h", core, storing).takenUp == [id])
    #expect(desk[reply: "gw/h"]["status"]?.string == "active")
    #expect(desk[reply: "gw/h"]["error"] == nil)
    #expect(desk.cluster["stream/\(id)"]?["full"] == nil)
    #expect(desk.registry.fill(id, reason: "late", now: desk.now).isEmpty)
  }

  @Test func `who is away still hears that a full stream collects again, since another client is back`() {
    let desk = Desk()
    desk.ask("gw/h", core, storing)
    desk.ask("other/h", core, storing)
    let id = desk.streamID("gw/h")
    desk.wait(.seconds(11))
    desk.commit(desk.registry.fill(id, reason: "enough", now: desk.now))
    #expect(desk[reply: "other/h"]["status"]?.string == "full")
    #expect(desk.ask("gw/h", core, storing).takenUp == [id])
    #expect(desk[reply: "other/h"]["status"]?.string == "away")
    #expect(desk[reply: "other/h"]["error"] == nil)
  }

  @Test func `a stream with a client that is there does not count as stored`() {
    let desk = Desk()
    desk.ask("gw/h", core, storing)
    desk.ask("desk/h", core, #""mode":"all""#)
    #expect(desk.wait(.seconds(11)).stored.isEmpty)
    #expect(desk[reply: "gw/h"]["status"]?.string == "away")
    let id = desk.streamID("desk/h")
    #expect(desk.send("desk/h", nil).stored == [id])
    #expect(desk.ask("desk/h", core, #""mode":"all""#).takenUp == [id])
  }

  @Test(
    arguments: [
      #""store_and_forward":true"#, #""mode":"immediate","store_and_forward":true"#,
      #""mode":"all","placement":"lane","store_and_forward":true"#,
    ]) func `it is for histories in topics of their own`(more: String)
  {
    let desk = Desk()
    desk.ask("gw/h", core, more)
    #expect(desk.error("gw/h") == "unsupported")
    #expect(desk[reply: "gw/h"]["error"]?["message"]?.string?.contains("mode all") == true)
  }
}
