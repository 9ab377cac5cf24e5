/* Macros and inlines of httpd and APR as functions. No decisions here: those belong in Rust. */
#ifndef WSGI_SHIM_H
#define WSGI_SHIM_H

#include "httpd.h"
#include "http_config.h"
#include "http_core.h"
#include "apr_buckets.h"

/* Brigades: the rings of apr_ring.h. */
int wsgi_shim_brigade_is_empty(const apr_bucket_brigade *bb);
apr_bucket *wsgi_shim_brigade_first(apr_bucket_brigade *bb);
void wsgi_shim_brigade_append(apr_bucket_brigade *bb, apr_bucket *b);

/* Buckets. */
apr_status_t wsgi_shim_bucket_read(apr_bucket *b, const char **data, apr_size_t *length,
                                   apr_read_type_e block);
apr_status_t wsgi_shim_bucket_split(apr_bucket *b, apr_size_t point);
void wsgi_shim_bucket_delete(apr_bucket *b);
/* Nothing where APR-util is older than 1.6.2. */
void wsgi_shim_bucket_file_read_size(apr_bucket *file, apr_size_t size);
int wsgi_shim_bucket_is_eos(const apr_bucket *b);
int wsgi_shim_bucket_is_metadata(const apr_bucket *b);

/* APR_STATUS_IS_*: platform dependent groups of codes. */
int wsgi_shim_status_is_eagain(apr_status_t status);
int wsgi_shim_status_is_timeup(apr_status_t status);

#endif
