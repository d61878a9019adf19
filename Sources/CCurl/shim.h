#include <curl/curl.h>

/* curl_easy_setopt is variadic, which Swift cannot call. */
static inline CURLcode belfry_curl_text(CURL *curl, CURLoption option, const char *value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode belfry_curl_number(CURL *curl, CURLoption option, long value) {
  return curl_easy_setopt(curl, option, value);
}
static inline CURLcode belfry_curl_receive(
    CURL *curl, size_t (*receive)(char *, size_t, size_t, void *), void *context) {
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, context);
  return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
}
static inline long belfry_curl_status(CURL *curl) {
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  return status;
}
