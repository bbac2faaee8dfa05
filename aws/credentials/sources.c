#include "aws/credentials/sources.h"

struct aws_credentials_chain *aws_credentials_chain_new_default(const struct aws_credentials_setup *setup) {
    const struct aws_credentials_source sources[] = {
        aws_credentials_from_environment(),       aws_credentials_from_role(setup),
        aws_credentials_from_web_identity(setup), aws_credentials_from_shared_files(setup),
        aws_credentials_from_container(),         aws_credentials_from_instance(setup),
    };
    return aws_credentials_chain_new(sources, sizeof sources / sizeof *sources);
}
