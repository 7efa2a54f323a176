/** The gateway as a library. */
export { assembleGateway, type AssembleOptions } from './assemble.ts';
export { createCatalogue, loadPrices, type Catalogue } from './webhooks/catalogue.ts';
export { loadConfiguration, type GatewayConfiguration, type GatewayFiles } from './configuration.ts';
export { createGateway, type Gateway, type GatewayLog, type GatewayOptions } from './gateway.ts';
export { createLambdaHandler } from './lambda.ts';
export { serve, type HttpServer, type ServeOptions } from '../system/http/server.ts';
