// SPDX-License-Identifier: Apache-2.0
// What weixin.js uses of `wx`, against WeChat's own types.
import { BailianClient } from 'bailian-stream';

export const client = new BailianClient({ base: 'https://example.com/bailian', wx, transport: ['websocket', 'sse', 'download', 'poll'] });

const listener = (result: { errMsg?: string; isConnected?: boolean }) => result.isConnected;
wx.onNetworkStatusChange(listener);
wx.offNetworkStatusChange(listener);
const shown = () => {};
wx.onAppShow(shown);
wx.offAppShow(shown);

const task = wx.request<ArrayBuffer>({
  url: '', method: 'POST', header: { a: 'b' }, data: '', dataType: 'other', responseType: 'arraybuffer', enableChunked: true,
  success: ({ statusCode, header, data }) => new Uint8Array(data).length + statusCode + Object.keys(header).length,
  fail: ({ errMsg }) => errMsg,
});
task.onHeadersReceived(({ header }) => header);
task.onChunkReceived(({ data }) => new Uint8Array(data));
task.abort();

const files = wx.getFileSystemManager();
const download = wx.downloadFile({
  url: '', header: {}, complete: () => {}, fail: ({ errMsg }) => errMsg,
  success: ({ statusCode, tempFilePath }) => files.readFile({
    filePath: tempFilePath, success: ({ data }) => [data, statusCode], fail: ({ errMsg }) => errMsg, complete: () => files.unlink({ filePath: tempFilePath }),
  }),
});
download.onHeadersReceived(({ header }) => header);
download.abort();

const socket = wx.connectSocket({ url: '', header: {}, fail: () => {} });
socket.onOpen(() => {});
socket.onMessage(({ data }) => data);
socket.onClose(({ code }) => code);
socket.onError(({ errMsg }) => errMsg);
socket.send({ data: '', fail: () => {} });
socket.close({ code: 4001 });
