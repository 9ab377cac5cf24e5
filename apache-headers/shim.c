#include "shim.h"

/* Weak: a module that was built beside a new APR-util also loads beside an old one. */
extern apr_status_t apr_bucket_file_set_buf_size(apr_bucket *b, apr_size_t size)
    __attribute__((weak));

int wsgi_shim_brigade_is_empty(const apr_bucket_brigade *bb)
{
    return APR_BRIGADE_EMPTY(bb);
}

apr_bucket *wsgi_shim_brigade_first(apr_bucket_brigade *bb)
{
    return APR_BRIGADE_FIRST(bb);
}

void wsgi_shim_brigade_append(apr_bucket_brigade *bb, apr_bucket *b)
{
    APR_BRIGADE_INSERT_TAIL(bb, b);
}

apr_status_t wsgi_shim_bucket_read(apr_bucket *b, const char **data, apr_size_t *length,
                                   apr_read_type_e block)
{
    return apr_bucket_read(b, data, length, block);
}

apr_status_t wsgi_shim_bucket_split(apr_bucket *b, apr_size_t point)
{
    return apr_bucket_split(b, point);
}

void wsgi_shim_bucket_delete(apr_bucket *b)
{
    apr_bucket_delete(b);
}

void wsgi_shim_bucket_file_read_size(apr_bucket *file, apr_size_t size)
{
    if (apr_bucket_file_set_buf_size)
        apr_bucket_file_set_buf_size(file, size);
}

int wsgi_shim_bucket_is_eos(const apr_bucket *b)
{
    return APR_BUCKET_IS_EOS(b);
}

int wsgi_shim_bucket_is_metadata(const apr_bucket *b)
{
    return APR_BUCKET_IS_METADATA(b);
}

int wsgi_shim_status_is_eagain(apr_status_t status)
{
    return APR_STATUS_IS_EAGAIN(status);
}

int wsgi_shim_status_is_timeup(apr_status_t status)
{
    return APR_STATUS_IS_TIMEUP(status);
}
