#include <microhttpd.h>

/* MHD_get_connection_info has a variable argument list, which Swift cannot call. */
static inline int CMicroHTTPD_descriptor(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == NULL ? -1 : info->connect_fd;
}
