import CCurl

/// GETs one URL with libcurl.
public enum HTTPClient {
  /// Bytes of an answer at most.
  private static let bytesMax = 64 << 20

  private final class Body {
    var bytes: [UInt8] = []
  }

  /// The status and body. Throws where no answer came, with libcurl's words. Waits at most 30 s.
  public static func get(_ url: String, query: KeyValuePairs<String, String> = [:]) throws(ClientError)
    -> (status: Int, body: String)
  {
    guard let curl = curl_easy_init() else { throw ClientError("libcurl did not start") }
    defer { curl_easy_cleanup(curl) }
    let pairs = query.map { "\($0)=\(escaped($1, curl))" }.joined(separator: "&")
    let body = Body()
    _ = belfry_curl_text(curl, CURLOPT_URL, pairs.isEmpty ? url : "\(url)?\(pairs)")
    _ = belfry_curl_text(curl, CURLOPT_PROTOCOLS_STR, "http,https")
    _ = belfry_curl_number(curl, CURLOPT_TIMEOUT, 30)
    _ = belfry_curl_number(curl, CURLOPT_NOSIGNAL, 1)
    _ = belfry_curl_receive(
      curl,
      { bytes, size, count, context in
        let body = Unmanaged<Body>.fromOpaque(context!).takeUnretainedValue()
        guard body.bytes.count + count * size <= HTTPClient.bytesMax else { return 0 }
        body.bytes += UnsafeRawBufferPointer(start: bytes, count: count * size)
        return count * size
      }, Unmanaged.passUnretained(body).toOpaque())
    let code = withExtendedLifetime(body) { curl_easy_perform(curl) }
    guard code == CURLE_OK else {
      throw ClientError("\(url): \(String(cString: curl_easy_strerror(code)))")
    }
    return (belfry_curl_status(curl), String(decoding: body.bytes, as: UTF8.self))
  }

  private static func escaped(_ text: String, _ curl: UnsafeMutableRawPointer) -> String {
    guard let escaped = curl_easy_escape(curl, text, Int32(text.utf8.count)) else { return "" }
    defer { curl_free(escaped) }
    return String(cString: escaped)
  }
}
