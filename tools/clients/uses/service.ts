/** Where the service is, for the client of orval, whose functions take no address. */
export const service = { url: '' };
